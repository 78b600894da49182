"""The tests of `conformance/explore`."""
