"""The tests of `conformance/expect`."""
