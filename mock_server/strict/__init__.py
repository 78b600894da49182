"""Strict data: one declaration says how a value is read, checked, written and described."""
