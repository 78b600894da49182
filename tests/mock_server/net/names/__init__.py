"""The tests of `mock_server/net/names`."""
