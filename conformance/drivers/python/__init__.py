"""The code that all drivers in Python share, and the drivers of clients in Python."""
