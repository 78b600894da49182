"""Sockets that can be closed in any way, listeners that can go down, TLS, and HTTP with h11."""
