"""The tests of `conformance/runner`."""
