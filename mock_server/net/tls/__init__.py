"""TLS without sockets, and certificates from a throw-away certificate authority."""
