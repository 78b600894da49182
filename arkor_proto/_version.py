"""The version of the distribution, in the one place the build and the wire both read."""

__version__ = "0.1.0"
