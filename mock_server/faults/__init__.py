"""Decide which rules act and what they do to an exchange, without I/O."""
