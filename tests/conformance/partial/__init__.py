"""Clients that cover a part of the protocol."""
