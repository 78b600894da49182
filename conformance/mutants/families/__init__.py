"""The broken clients, one module per part of the protocol."""
