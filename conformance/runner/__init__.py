"""Plays cases with a client and its backend."""
