"""Tests of what judges a bare event-stream parser."""
