"""Drivers in Python: what any driver needs, and the driver of the reference client."""
