"""How well the core's tests notice a change of the core."""
