"""The tests of the mock backend."""
