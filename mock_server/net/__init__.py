"""Sockets: raw streams with honest endings, listeners with outages, HTTP/1.1 over h11."""
