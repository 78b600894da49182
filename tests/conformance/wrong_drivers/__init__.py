"""Drivers that are wrong, each in one way."""
