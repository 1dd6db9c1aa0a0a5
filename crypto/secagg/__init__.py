"""Secure aggregation: one file per scheme."""
