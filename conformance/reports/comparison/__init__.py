"""Compare saved runs of several clients or backends, or of one over time."""
