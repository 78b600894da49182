"""A run as plain data, `run.json`: creating, writing, checking and reading it."""
