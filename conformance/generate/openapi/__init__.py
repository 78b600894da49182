"""Generate the OpenAPI description of the protocol from the data of the rest of the project."""
