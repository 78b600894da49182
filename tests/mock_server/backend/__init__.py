"""The tests of `mock_server/backend`."""
