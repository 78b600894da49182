"""Other platforms, as far as they can be tried on Linux."""
