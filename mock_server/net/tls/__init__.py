"""TLS without sockets, and certificates of a throw-away authority."""
