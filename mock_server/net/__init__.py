"""Sockets that can end in any way, listeners that can be down, TLS, and HTTP/1.1 over h11."""
