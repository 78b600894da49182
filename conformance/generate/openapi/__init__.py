"""The OpenAPI description of the protocol, made from the data that the rest of the project uses."""
