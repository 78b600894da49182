"""Benchmarks: what the performance goals are checked with."""
