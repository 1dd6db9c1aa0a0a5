"""Counting together: what is asked, what a member puts in, what is released. Pure."""
