"""Find the rule that a client broke before it reached the rule that the case tests."""
