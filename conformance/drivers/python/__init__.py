"""The code that all drivers in Python share, and the drivers for clients in Python."""
