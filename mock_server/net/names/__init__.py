"""Addresses to bind, the `Host` headers to accept, and URLs that reach no server."""
