"""The trace of a case: its events in order, and the names by which cases refer to them."""
