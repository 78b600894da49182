"""Use the mock in Python tests: pytest fixtures, and a server that runs in a thread."""
