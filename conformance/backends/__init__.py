"""Judges a backend: cases that use its HTTP interface and, if there is one, a control program."""
