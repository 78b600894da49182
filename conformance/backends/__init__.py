"""Judges a backend: cases over its HTTP interface, with a control program if there is one."""
