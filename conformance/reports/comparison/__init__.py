"""Compare saved runs of several clients or backends, or of the same one over time."""
