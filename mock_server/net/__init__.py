"""Sockets with exact endings, listeners with outages, TLS, and HTTP/1.1 over h11."""
