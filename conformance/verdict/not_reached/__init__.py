"""Find the rule that a client broke before it got as far as the rule of the case."""
