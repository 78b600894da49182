"""The tests of `mock_server/mitm`."""
