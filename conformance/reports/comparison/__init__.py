"""Compare saved runs: several clients or backends, or one over time."""
