"""Addresses to bind, the `Host` headers to accept, and URLs that are hard to reach."""
