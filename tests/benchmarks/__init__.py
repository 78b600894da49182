"""Benchmarks that check the performance goals."""
