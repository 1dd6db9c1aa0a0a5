"""Counting together at a node: what it convenes, what it joins and carries on, and what came of it."""
