"""Checks every reachable state of a session and writes counter-examples as traces."""
