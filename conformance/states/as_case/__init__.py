"""Turn a counter-example into a case: its steps, the responses, and what a correct client does."""
