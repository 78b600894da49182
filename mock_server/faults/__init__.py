"""Which rules act, and what they do to one exchange; no I/O."""
