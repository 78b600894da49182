"""The tests of `conformance/reports`."""
