"""The same faults in front of a real backend, and recording what it says."""
