"""The tests of `conformance/verdict`."""
