"""What the failures of a run have in common: where they part from the reference, and why."""
