"""Templates: one case with `each` becomes one case per value, with stable ids.

If the key is `status`, `{status}` inside a longer string is replaced by the value as text, and a
string that is exactly `"{status}"` by the value itself, with its type. The string `"<null>"`
becomes null, which TOML lacks.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from conformance.strict_data import Json
from mock_server.strict.shapes import ScenarioError, Shape, anything, array, either, mapping

_PLACE: Final = re.compile(r"\{([a-z_]+)\}")
_OVERRIDES: Final = ("profiles", "requires", "level", "needs")
_ROW: Final = mapping(anything())
EACH: Final[Shape[Mapping[str, tuple[Json, ...]] | tuple[Mapping[str, Json], ...]]] = either(
    mapping(array(anything())), array(_ROW)
)
"""The values of a template: one key with a list of values, or a list of rows with a `key` each."""


def expand(where: str, values: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """Yield the cases that a table in a case file expands to; raise ScenarioError on a mistake."""
    if "each" not in values:
        yield {key: _substitute(value, {}) for key, value in values.items()}
        return
    rest = {key: value for key, value in values.items() if key != "each"}
    identifier = rest.get("id")
    for label, parameters, overrides in _rows(f"{where}.each" if where else "each", values["each"]):
        filled = {
            key: _substitute(value, parameters) if key != "id" else value
            for key, value in rest.items()
        }
        yield {**filled, **overrides, "id": f"{identifier}[{label}]"}


_Row = tuple[str, Mapping[str, Json], Mapping[str, Json]]


def _rows(where: str, each: Json) -> Iterator[_Row]:
    found = EACH.read(each, where)
    if isinstance(found, Mapping):
        if len(found) != 1:
            raise ScenarioError(f"{where}: write exactly one key, with a list of values")
        ((key, values),) = found.items()
        yield from ((str(value), {key: value}, {}) for value in values)
        return
    for number, row in enumerate(found, 1):
        label = row.get("key")
        if not isinstance(label, str):
            raise ScenarioError(
                f"{where} {number}: give it a 'key' whose value is a string; it becomes part of the case's id"
            )
        overrides = {key: row[key] for key in _OVERRIDES if key in row}
        yield label, {k: v for k, v in row.items() if k not in _OVERRIDES}, overrides


def _substitute(value: Json, parameters: Mapping[str, Json]) -> Json:
    match value:
        case "<null>":  # TOML has no null
            return None
        case str():
            return _fill(value, parameters)
        case Mapping():
            return {
                _text(_fill(key, parameters)): _substitute(item, parameters)
                for key, item in value.items()
            }
        case None | bool() | int() | float():
            return value
        case _:
            return [_substitute(item, parameters) for item in value]


def _fill(text: str, parameters: Mapping[str, Json]) -> Json:
    """Fill in the known parameters; leave other braces alone, because a string may contain JSON."""
    whole = _PLACE.fullmatch(text)
    if whole and whole[1] in parameters:
        return parameters[whole[1]]
    return _PLACE.sub(lambda m: _text(parameters.get(m[1], m[0])), text)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else str(value)
