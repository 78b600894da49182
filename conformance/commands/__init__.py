"""The commands of `arkor-conformance`, one module each, loaded when called."""
