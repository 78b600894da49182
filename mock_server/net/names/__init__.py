"""Hosts and addresses: which to bind, which Host to accept, and URLs that reach no server."""
