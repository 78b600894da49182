"""The tests of `conformance/mutants`."""
