"""Drivers with faults, each with one at a time."""
