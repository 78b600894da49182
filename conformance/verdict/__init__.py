"""From what a case found to an exit status."""
