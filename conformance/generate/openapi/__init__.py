"""Generate the OpenAPI description of the protocol from data in other parts of the project."""
