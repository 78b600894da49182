"""The tests of `conformance/commands`."""
