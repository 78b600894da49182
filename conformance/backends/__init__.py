"""Judges a backend with cases that use its HTTP interface and a control program, if given."""
