"""The tests of `mock_server/admin`."""
