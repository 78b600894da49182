"""The tests of `mock_server/proxy`."""
