"""Writes the generated files of `spec/`."""
