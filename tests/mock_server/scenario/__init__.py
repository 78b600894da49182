"""The tests of `mock_server/scenario`."""
