"""The tests of `mock_server/strict`."""
