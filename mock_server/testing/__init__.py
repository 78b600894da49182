"""The mock for tests in Python: pytest fixtures, and a server in a thread."""
