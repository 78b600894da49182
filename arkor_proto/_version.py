"""The version of the distribution; the build and the `X-Arkor-Client` header use it."""

__version__ = "0.1.0"
