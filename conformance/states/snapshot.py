"""The complete state of a session as a value that can be compared and hashed.

By default, a snapshot includes every attribute of an object, whatever its name or meaning. The
slots of each type are looked up only once, since exploring a graph takes tens of thousands of
snapshots.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from enum import Enum
from functools import cache
from typing import Final, TypeGuard

COUNTERS = frozenset({"number", "sent", "delivered", "exchange", "delivery"})
"""Attributes that only number things; sessions that differ only in these behave the same.

Sessions that differ only in the integer keys of their mappings also behave the same, so a snapshot
that leaves out any attributes also omits these keys.
"""


_PLAIN: Final = (int, float, str, bytes, Enum, type, type(None))
_ABSENT: Final = object()


def snapshot(value: object, leave_out: frozenset[str] = frozenset()) -> Hashable:
    """Return the contents of `value`, except attributes whose names are in `leave_out`."""
    if isinstance(value, _PLAIN):
        return value
    if _is_collection(value):
        inner = [snapshot(inner, leave_out) for inner in value]
        return tuple(inner) if isinstance(value, (list, tuple, deque)) else frozenset(inner)
    if _is_mapping(value):
        return tuple([(_key(k, leave_out), snapshot(v, leave_out)) for k, v in value.items()])
    if isinstance(value, (bytearray, BaseException)):
        return (type(value), bytes(value) if isinstance(value, bytearray) else str(value))
    return id(value) if callable(value) else (type(value), *_parts(value, type(value), leave_out))


def _key(key: object, leave_out: frozenset[str]) -> Hashable:
    return None if leave_out and isinstance(key, int) else snapshot(key, leave_out)


def _parts(value: object, kind: type, leave_out: frozenset[str]) -> list[tuple[str, Hashable]]:
    found: list[tuple[str, Hashable]] = []
    for name in _slots(kind, leave_out):
        inner = getattr(value, name, _ABSENT)
        if inner is not _ABSENT:
            found.append((name, snapshot(inner, leave_out)))
    held: dict[str, object] = getattr(value, "__dict__", {})
    for name, inner in held.items():
        if name.lstrip("_") not in leave_out:
            found.append((name, snapshot(inner, leave_out)))
    return found


@cache
def _slots(kind: type, leave_out: frozenset[str]) -> tuple[str, ...]:
    """Return the slots of a type and its bases, except those in `leave_out`."""
    names = [name for each in kind.__mro__ for name in getattr(each, "__slots__", ())]
    kept = [name for name in names if name.lstrip("_") not in leave_out]
    return tuple(name for name in kept if name not in {"__weakref__", "__dict__"})


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_collection(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, (list, tuple, deque, set, frozenset))
