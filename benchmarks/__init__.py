"""Benchmarks: one file for each thing measured. Never timed tests."""
