"""Record what clients and the server did, and check whether a client behaved correctly."""
