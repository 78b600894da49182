"""The tests of `mock_server/testing`."""
