"""Readers against inputs that nobody wrote: coverage-guided bytes, and documents of the right shape."""
