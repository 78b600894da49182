"""The version of the distribution, for the build and for the `X-Arkor-Client` header."""

__version__ = "0.1.0"
