"""Turn a counter-example into a case: its moves as steps, the responses, and correct behaviour."""
