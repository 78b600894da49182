"""Checks every reachable state of a session, breadth first, and writes counter-examples to files."""
