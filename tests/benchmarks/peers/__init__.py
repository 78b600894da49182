"""Compares our parser and our clients with every peer: correctness, speed and growth."""
