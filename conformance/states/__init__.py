"""Check every reachable state of a session, and write counter-examples as traces."""
