"""The trace of a case: what happened, in order, and the names of its events."""
