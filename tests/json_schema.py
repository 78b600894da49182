"""Documents against a JSON schema, which is checked itself the first time that it is used."""

import json
from functools import cache
from typing import Protocol

import jsonschema  # type: ignore[import-untyped]  # it ships no types

from conformance.strict_data import Json


class _Validator(Protocol):
    """What is used here of the validators of jsonschema, whose types are known in part only."""

    def validate(self, instance: Json) -> None:
        """Raise ValidationError where a document does not satisfy the schema."""


@cache
def _validator(text: str) -> _Validator:
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    found: _Validator = jsonschema.Draft202012Validator(schema)
    return found


def problem(schema: str, document: Json) -> str:
    """Return what the text of a schema says against a document, or nothing."""
    try:
        _validator(schema).validate(document)
    except jsonschema.ValidationError as error:
        return str(error.message)
    return ""
