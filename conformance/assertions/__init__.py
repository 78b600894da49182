"""The closed vocabulary of what a case can expect: one small judge per word."""
