"""Play cases with a client and the mock backend."""
