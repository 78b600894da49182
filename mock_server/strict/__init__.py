"""Strict data: values that know how they are read, checked, written and described."""
