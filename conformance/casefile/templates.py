"""Templates: one case with `each` becomes one case per value, with stable ids.

It knows substitution and nothing else: `{status}` in a string is replaced by the text of the
value, a string that is exactly `"{status}"` by the value itself, with its type. The string
`"<null>"` stands for the null that TOML does not have.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from conformance.strict_data import Json, ReadingError, Table

_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
_OVERRIDES: Final = ("profiles", "requires", "level", "needs")


def expand(where: str, values: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """Yield the cases that one table of a case file stands for."""
    if "each" not in values:
        yield {key: _substitute(where, value, {}) for key, value in values.items()}
        return
    rest = {key: value for key, value in values.items() if key != "each"}
    identifier = rest.get("id")
    for label, parameters, overrides in _rows(f"{where}: each", values["each"]):
        filled = {
            key: _substitute(where, value, parameters) if key != "id" else value
            for key, value in rest.items()
        }
        yield {**filled, **overrides, "id": f"{identifier}[{label}]"}


_Row = tuple[str, Mapping[str, Json], Mapping[str, Json]]


def _rows(where: str, each: Json) -> Iterator[_Row]:
    if isinstance(each, Mapping):
        if len(each) != 1:
            raise ReadingError(where, "give one key with a list of values")
        key = next(iter(each))
        for value in Table(where, each).items(key):
            yield str(value), {key: value}, {}
        return
    for table in Table(where, {"each": each}).tables("each"):
        label = table.text("key")
        overrides = {key: table.values[key] for key in _OVERRIDES if key in table.values}
        yield label, {k: v for k, v in table.values.items() if k not in _OVERRIDES}, overrides


def _substitute(where: str, value: Json, parameters: Mapping[str, Json]) -> Json:
    match value:
        case "<null>":  # TOML has no null
            return None
        case str():
            return _fill(value, parameters)
        case Mapping():
            return {
                _text(_fill(key, parameters)): _substitute(where, item, parameters)
                for key, item in value.items()
            }
        case None | bool() | int() | float():
            return value
        case _:
            return [_substitute(where, item, parameters) for item in value]


def _fill(text: str, parameters: Mapping[str, Json]) -> Json:
    """Fill the places of known parameters; other braces are the text's own (JSON has many)."""
    whole = _PLACE.fullmatch(text)
    if whole and whole[1] in parameters:
        return parameters[whole[1]]
    return _PLACE.sub(lambda m: _text(parameters.get(m[1], m[0])), text)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else str(value)
