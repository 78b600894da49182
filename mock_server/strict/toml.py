"""Write TOML values."""

import json
import re
from typing import Final

from mock_server.strict.shapes import ScenarioError, is_array, is_table

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def toml_value(value: object) -> str:
    """Return plain data as a TOML value; raise ScenarioError for null, which TOML does not have.

    An array that contains tables is written with one item per line.
    """
    if is_table(value):
        inside = ", ".join(f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{{inside}}}"
    if is_array(value):
        items = [toml_value(item) for item in value]
        if len(items) > 1 and any(is_table(item) for item in value):
            return "[\n" + "".join(f"  {item},\n" for item in items) + "]"
        return "[" + ", ".join(items) + "]"
    if value is None:
        raise ScenarioError("TOML has no null; write the frame's data as a string instead")
    # A JSON string is a TOML basic string, except that TOML requires DEL to be escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(key: str) -> str:
    """Return a key as TOML, in quotes if it needs them."""
    return key if _BARE.fullmatch(key) else toml_value(key)
