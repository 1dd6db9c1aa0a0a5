"""Counting together at a node."""
