"""Checks every state that a session can reach, breadth first, and writes what breaks a promise as a trace."""
