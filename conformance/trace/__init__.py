"""What happened in a case, in one order, and the names of its events."""
