"""The tests of `conformance/casefile`."""
