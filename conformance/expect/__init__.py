"""Everything that a case can expect: one class per expectation."""
