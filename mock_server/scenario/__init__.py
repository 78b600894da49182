"""Read, write, check and explain scenarios."""
