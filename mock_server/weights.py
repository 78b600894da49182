"""Estimate the memory of JSON values, for limits in bytes on what clients can store."""

from typing import Final

from mock_server.strict.shapes import is_array, is_table

_VALUE: Final = 64


def weight_of(value: object) -> int:
    """Estimate the memory of a JSON value, in bytes."""
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
