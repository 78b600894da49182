"""The tests of `conformance/generate`."""
