"""What a case can expect: one class per expectation."""
