"""What happened, and whether it was right."""
