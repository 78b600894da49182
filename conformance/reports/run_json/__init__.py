"""A run as plain data, `run.json`: how it is made, written, checked and read."""
