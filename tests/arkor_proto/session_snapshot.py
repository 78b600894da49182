"""The whole of a session as a value that can be compared and hashed.

It knows how to walk any object, whatever its parts are called. It refuses to know what they mean.
"""

from collections import deque
from collections.abc import Collection, Hashable, Iterable, Mapping
from enum import Enum
from typing import TypeGuard

COUNTERS = frozenset({"number", "sent", "delivered", "exchange", "delivery"})
"""Parts that only name things; two sessions that differ in them alone behave alike.

So do numbers that are keys: where parts are left out, they are too.
"""


def snapshot(value: object, leave_out: Collection[str] = ()) -> Hashable:
    """Return all that `value` holds; parts called as in `leave_out` are left out."""
    if value is None or isinstance(value, (int, float, str, bytes, Enum, type)):
        return value
    if _is_mapping(value):
        return tuple((_key(k, leave_out), snapshot(v, leave_out)) for k, v in value.items())
    if _is_collection(value):
        inner = [snapshot(inner, leave_out) for inner in value]
        return tuple(inner) if isinstance(value, (list, tuple, deque)) else frozenset(inner)
    if isinstance(value, (bytearray, BaseException)):
        return (type(value), bytes(value) if isinstance(value, bytearray) else str(value))
    return id(value) if callable(value) else (type(value), *_parts(value, leave_out))


def _key(key: object, leave_out: Collection[str]) -> Hashable:
    return None if leave_out and isinstance(key, int) else snapshot(key, leave_out)


def _parts(value: object, leave_out: Collection[str]) -> list[tuple[str, Hashable]]:
    names: list[str] = [
        name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())
    ]
    held: dict[str, object] = {name: getattr(value, name) for name in names if hasattr(value, name)}
    held |= getattr(value, "__dict__", {})
    return [
        (name, snapshot(inner, leave_out))
        for name, inner in held.items()
        if name != "__weakref__" and name.lstrip("_") not in leave_out
    ]


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_collection(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, (list, tuple, deque, set, frozenset))
