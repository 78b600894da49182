"""Define what an expectation is and how a trace can differ from one, and compare plain data."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import frozen

from conformance.strict_data import Json
from conformance.trace.events import Event, Trace


@frozen
class Divergence:
    """How a trace differs from an expectation; `event` is the first event that differs, if any."""

    expected: str
    actual: str
    event: Event | None = None


class Assertion(Protocol):
    """One expectation of a case."""

    @property
    def word(self) -> str:
        """The name of the expectation as it is written in a case, such as `sleeps` or `result.wait`."""
        ...

    @property
    def awaited(self) -> tuple[str, ...]:
        """The events that the player waits for before it closes the case."""
        ...

    def judge(self, trace: Trace) -> Divergence | None:
        """Return how `trace` first differs from the expectation, or None if it does not."""
        ...


def difference(expected: Json, actual: Json, where: str = "") -> str | None:
    """Return a description of the first difference between `actual` and `expected`, or None.

    In tables, only the keys of `expected` are compared. Lists are compared item by item, and
    numbers by value.
    """
    match expected:
        case Mapping():
            return _table_difference(expected, actual, where)
        case bool() | str() | None:
            same = type(expected) is type(actual) and expected == actual
        case int() | float():
            same = expected == actual and not isinstance(actual, bool)
        case _:
            return _list_difference(expected, actual, where)
    return None if same else f"{where or 'it'} is {actual!r}"


def _table_difference(expected: Mapping[str, Json], actual: Json, where: str) -> str | None:
    if not isinstance(actual, Mapping):
        return f"{where or 'it'} is {actual!r}"
    for key, value in expected.items():
        path = f"{where}.{key}" if where else key
        if key not in actual:
            return f"{path} is absent"
        if found := difference(value, actual[key], path):
            return found
    return None


def _list_difference(expected: Sequence[Json], actual: Json, where: str) -> str | None:
    if isinstance(actual, str) or not isinstance(actual, Sequence):
        return f"{where or 'it'} is {actual!r}"
    if len(actual) != len(expected):
        return f"{where or 'it'} has {len(actual)} items: {list(actual)!r}"
    for n, (want, got) in enumerate(zip(expected, actual, strict=True), 1):
        if found := difference(want, got, f"{where}[{n}]"):
            return found
    return None
