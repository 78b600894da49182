"""Play cases with a client and a backend."""
