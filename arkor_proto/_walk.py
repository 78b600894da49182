"""Type checks for decoded JSON, and a traversal of bounded depth.

A backend can send values nested to any depth. No function here descends further than `MAX_DEPTH`,
so no value can exhaust the interpreter's stack (ARK-SEC-10).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NoReturn, TypeAlias, TypeGuard

JsonObject: TypeAlias = Mapping[str, object]
"""A decoded JSON object."""

Change: TypeAlias = Callable[[str, object], object]
"""Takes the name of a member ("" for an array item) and its value; returns the new value."""

MAX_DEPTH: Final = 150


def is_object(value: object) -> TypeGuard[JsonObject]:
    """Return whether a decoded JSON value is an object."""
    return isinstance(value, (dict, Mapping))  # checking for dict first is faster


def is_dict(value: object) -> TypeGuard[dict[str, object]]:
    """Return whether a decoded JSON value is a plain dict, as returned by `json.loads`."""
    return type(value) is dict


def is_array(value: object) -> TypeGuard[Sequence[object]]:
    """Return whether a decoded JSON value is an array."""
    return isinstance(value, (list, tuple))


def elided() -> object:
    """Return the placeholder for values that are nested too deeply to show."""
    return "…"


def too_deep() -> NoReturn:
    """Raise the ValueError for a value that is nested too deeply to be used."""
    raise ValueError(f"nested more than {MAX_DEPTH} levels deep")


def rebuilt(
    value: object,
    change: Change,
    *,
    rename: Callable[[str], str] = str,
    deeper: Callable[[], object] = elided,
) -> object:
    """Return a copy of a JSON value with `change` applied to all members and items, parents first.

    `rename` is applied to the names of members. `deeper` returns the replacement for an object or
    array that is nested more than `MAX_DEPTH` levels deep; if the interpreter's stack overflows
    first, the whole value is replaced.
    """
    try:
        return _rebuilt(value, change, rename, deeper, MAX_DEPTH)
    except RecursionError:
        return deeper()


def _rebuilt(
    value: object,
    change: Change,
    rename: Callable[[str], str],
    deeper: Callable[[], object],
    room: int,
) -> object:
    if is_object(value):
        if not room:
            return deeper()
        return {
            rename(name): _rebuilt(change(name, inner), change, rename, deeper, room - 1)
            for name, inner in value.items()
        }
    if is_array(value):
        if not room:
            return deeper()
        return [_rebuilt(change("", inner), change, rename, deeper, room - 1) for inner in value]
    return value
