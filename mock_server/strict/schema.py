"""Turn schemas into complete JSON Schema (2020-12) documents, each with a title and an id."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from mock_server.strict.shapes import is_array, is_table

Schema = Mapping[str, object]
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema_id(name: str) -> str:
    """Return the id of a schema: a URN, because its file is not published at a fixed URL.

    The number at its end is the version of the vocabulary, not of the file.
    """
    return f"urn:arkor-proto:schema:{name}:1"


def schema_document(name: str, title: str, schema: Schema) -> dict[str, object]:
    """Return a whole document; tables that appear more than once are moved to its `$defs`."""
    found: dict[str, Schema] = {}
    often: set[str] = set()
    for each in _titled(schema):
        label, bare = str(each["title"]), _without(each, "description")
        if label in found:
            often.add(label)
            if found[label] != bare:
                raise ValueError(f"{name}: two different tables are called {label}")
        found[label] = bare
    shared = {label: found[label] for label in found if label in often}
    head = {"$schema": _DIALECT, "$id": schema_id(name), "title": title}
    whole = {**head, **_without(_inside(schema, shared), "title")}
    own = whole.get("$defs")
    defined = {label: _inside(each, shared) for label, each in shared.items()}
    if defined:
        whole["$defs"] = {**(own if is_table(own) else {}), **defined}
    return whole


def schema_text(document: Schema) -> str:
    """Return the text of the file for a schema document."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _without(schema: Schema, *keys: str) -> dict[str, object]:
    return {key: value for key, value in schema.items() if key not in keys}


def _titled(value: object) -> Iterator[Schema]:
    """Yield every titled table in a schema."""
    if is_table(value):
        if "properties" in value and isinstance(value.get("title"), str):
            yield value
        for item in value.values():
            yield from _titled(item)
    elif is_array(value):
        for item in value:
            yield from _titled(item)


def _inside(schema: Schema, shared: Mapping[str, Schema]) -> dict[str, object]:
    return {key: _referring(value, shared) for key, value in schema.items()}


def _referring(value: object, shared: Mapping[str, Schema]) -> object:
    """Return part of a schema with its shared parts replaced by references."""
    if is_array(value):
        return [_referring(item, shared) for item in value]
    if not is_table(value):
        return value
    label = value.get("title")
    if isinstance(label, str) and label in shared and "properties" in value:
        described = {"description": value["description"]} if "description" in value else {}
        return {"$ref": f"#/$defs/{label}", **described}
    return _inside(value, shared)
