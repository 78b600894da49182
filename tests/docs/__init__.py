"""The documentation: every snippet runs, and the site has what it should have."""
