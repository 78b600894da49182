"""What a scenario says: reading, writing, checking and explaining it."""
