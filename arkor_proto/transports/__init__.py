"""Thin transports: each carries a session over real connections and decides nothing itself."""
