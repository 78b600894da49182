"""Load on Locust."""
