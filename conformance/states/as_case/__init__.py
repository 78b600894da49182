"""Turns a counter-example into a case: steps, answers of the backend, and what a sound client does."""
