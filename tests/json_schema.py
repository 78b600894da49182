"""Documents against a JSON schema, which is checked itself the first time that it is used."""

from functools import cache

import jsonschema  # type: ignore[import-untyped]  # it ships no types

from conformance.strict_data import Json, parse_json


@cache
def _validator(text: str) -> jsonschema.Draft202012Validator:
    schema = parse_json(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def problem(schema: str, document: Json) -> str:
    """Return what the text of a schema says against a document, or nothing."""
    error = jsonschema.exceptions.best_match(_validator(schema).iter_errors(document))
    return "" if error is None else str(error.message)
