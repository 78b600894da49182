"""The tests of `conformance/generate/openapi`."""
