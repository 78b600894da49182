"""The conformance kit: verifies any client of the protocol, in any language."""
