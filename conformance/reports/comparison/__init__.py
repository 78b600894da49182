"""Compare saved runs of several clients or backends, or of one client or backend over time."""
