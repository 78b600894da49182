"""Tests of what judges a backend."""
