"""The tests of `conformance/drive`."""
