"""Strict data: read, check, write and describe values from one declaration."""
