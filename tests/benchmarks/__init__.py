"""tests benchmarks."""
