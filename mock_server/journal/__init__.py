"""Record what happened, and check whether the client behaved correctly."""
