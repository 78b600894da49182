"""Code shared by all Python drivers, and the drivers for Python clients."""
