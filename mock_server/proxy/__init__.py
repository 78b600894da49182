"""Inject faults in front of a real backend, and record and replay its responses."""
