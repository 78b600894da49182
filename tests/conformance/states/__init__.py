"""Tests of the states of a session as a command, and of its counter-examples."""
