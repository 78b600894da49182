"""Saved runs next to each other: several clients or backends, or one over time."""
