"""Drivers that ship with the kit."""
