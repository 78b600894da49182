"""JSON as RFC 8259 defines it, read strictly and written on one line."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A JSON value; its containers are read-only types, which makes it covariant."""

DEEPEST: Final = 100
_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def parsed_json(text: str) -> object:
    """Parse JSON as RFC 8259 defines it; raise ValueError for anything else.

    NaN, Infinity and numbers too large for a double are rejected. Arrays and objects may be nested
    at most `DEEPEST` levels deep (section 9 allows a limit), so that code that walks the value
    cannot run out of stack.
    """
    depth = 0
    deep = text.count("{") + text.count("[") > DEEPEST
    for each in _BRACKETS.finditer(text) if deep else ():
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(each[0], 0)
        if depth > DEEPEST:
            raise ValueError(f"JSON: nested more than {DEEPEST} levels deep")
    found: object = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    return found


def _no_number(name: str) -> object:
    raise ValueError(f"JSON: {name} is not a JSON number")


def _finite(digits: str) -> float:
    found = float(digits)
    if math.isinf(found):
        raise ValueError("JSON: a number is too large for a double")
    return found


def compact(value: object) -> str:
    """Write JSON on one line, without spaces between tokens; leave non-ASCII characters unescaped.

    If there is a lone surrogate, which UTF-8 cannot encode, all non-ASCII characters are escaped.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":"))
    return text
