"""Decide, without I/O, which rules act and what they do to an exchange."""
