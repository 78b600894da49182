"""The tests of `mock_server/journal`."""
