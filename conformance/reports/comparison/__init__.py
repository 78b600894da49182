"""Saved runs next to each other: several clients, or one client over time."""
