"""Secure aggregation: sums over the members of an alliance, and what of them may be told."""
