"""The tests of `mock_server/faults`."""
