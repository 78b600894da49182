"""The commands of `arkor-conformance`, one module each, imported only when its command is run."""
