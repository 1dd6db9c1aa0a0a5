"""Counting together: the coordinator's part of a run, and a member's."""
