"""The programmable backend, and the same faults in front of a real one."""
