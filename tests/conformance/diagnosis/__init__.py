"""Tests of how the kit explains failures."""
