"""The mock in Python tests: pytest fixtures, and a server in a thread."""
