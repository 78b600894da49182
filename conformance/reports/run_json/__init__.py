"""Create, write, check and read `run.json`, which contains a run as plain data."""
