"""Fuzzing: what anyone may send or write, in quantity, against an oracle."""
