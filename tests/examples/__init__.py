"""The scripts of `examples/`, run as processes against the mock."""
