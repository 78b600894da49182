"""Find out which rule a client broke before it could get as far as the rule of the case."""
