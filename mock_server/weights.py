"""Estimate how much memory JSON values take, to limit how much clients can store."""

from typing import Final

from mock_server.strict.shapes import is_array, is_table

_VALUE: Final = 64


def weight_of(value: object) -> int:
    """Estimate how much memory a JSON value takes, in bytes."""
    found, todo = 0, [value]
    while todo:
        each = todo.pop()
        found += _VALUE
        if isinstance(each, str):
            found += len(each)
        elif is_table(each):
            found += sum(_VALUE + len(key) for key in each)
            todo += each.values()
        elif is_array(each):
            todo += each
    return found
