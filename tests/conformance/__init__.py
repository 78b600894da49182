"""tests conformance."""
