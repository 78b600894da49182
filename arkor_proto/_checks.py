"""Argument checks whose errors name the argument and say what to pass instead.

A wrong type raises TypeError, and a wrong value raises ValueError. Most of the checks are attrs
validators.
"""

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from arkor_proto._address import read_origin
from arkor_proto._walk import JsonObject, is_object, rebuilt, too_deep

if TYPE_CHECKING:
    from attrs import Attribute

Kinds: TypeAlias = type | tuple[type, ...]
Value = TypeVar("Value")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
Validator: TypeAlias = Callable[[object, "Attribute[Value]", Value], None]


def wrong_kind(name: str, value: object, right: str) -> TypeError:
    """Return the error for `value`, showing only its type, because the value may be a secret."""
    kind = type(value).__name__
    article = "an" if kind[:1].lower() in {*"aeiou"} else "a"
    shown = "None" if value is None else f"{article} {kind}"
    return TypeError(f"{name}: it is {shown}; pass {right}")


def check_kind(name: str, value: object, kinds: Kinds, right: str) -> None:
    """Raise TypeError unless `value` is an instance of one of `kinds`; a bool is never accepted."""
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise wrong_kind(name, value, right)


def of_kind(kinds: Kinds, right: str) -> Validator[Value]:
    """Return an attrs validator that calls `check_kind` with the name of the field."""

    def check(_: object, attribute: "Attribute[Value]", value: Value) -> None:
        check_kind(attribute.name.lstrip("_"), value, kinds, right)

    return check


def is_base_url(_: object, __: "Attribute[str]", value: str) -> None:
    """Raise ValueError if the value is not a base URL (attrs validator)."""
    try:
        read_origin(value)
    except ValueError as error:
        raise ValueError(f"base_url: {error}") from error
    if not _VISIBLE.fullmatch(value):
        raise ValueError(
            "base_url: contains characters that are not visible ASCII; percent-encode them"
        )
    if "?" in value or "#" in value:
        raise ValueError("base_url: must not have a query or a fragment")


def is_header_value(_: object, attribute: "Attribute[str]", value: str) -> None:
    """Raise ValueError if the value is empty or cannot be sent in a header (attrs validator)."""
    check_header_value(attribute.name, value)


def check_header_value(name: str, value: str) -> None:
    """Raise ValueError, without quoting the value, if it is empty or cannot be sent in a header."""
    if not _VISIBLE.fullmatch(value):
        raise ValueError(f"{name}: cannot be sent in a header; use visible ASCII only")


def is_token(_: object, attribute: "Attribute[str]", value: str) -> None:
    """Raise ValueError if a non-empty token cannot be sent in a header (attrs validator)."""
    if value:
        is_header_value(_, attribute, value)


def is_text(_: object, attribute: "Attribute[str]", value: str) -> None:
    """Raise ValueError if the value cannot be encoded as UTF-8 (attrs validator)."""
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError(
            f"{attribute.name}: {value!r} contains surrogates, which UTF-8 cannot encode"
        )


IS_STR: Final[Validator[str]] = of_kind(str, "a str")


def _plain(value: object) -> object:
    if is_object(value):
        return dict(value)
    raise TypeError(f"a value of type {type(value).__name__} is not JSON")


def json_copy(value: JsonObject) -> JsonObject:
    """Return a copy of a JSON object; raise ValueError if it cannot be written as JSON."""
    try:
        copy: object = json.loads(json.dumps(value, allow_nan=False, default=_plain))
        rebuilt(copy, lambda _, inner: inner, deeper=too_deep)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"config: cannot be written as JSON: {error}") from error
    if not is_object(copy):
        raise ValueError(f"config: a value of type {type(value).__name__} is not a JSON object")
    return copy
