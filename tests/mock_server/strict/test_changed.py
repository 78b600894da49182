"""Changing every part of a value, such as the placeholders in a scenario."""

import json
from collections.abc import Mapping

from attrs import frozen

from mock_server.strict.words import changed


@frozen
class Value:
    """A value of parts of every kind."""

    text: str
    numbers: tuple[int, ...]
    table: Mapping[str, object]
    inner: "Value | None" = None


VALUE = Value("one", (1, 2), {"one": "two", "three": [None, "four"]}, Value("five", (), {}, None))


def test_a_value_in_which_nothing_changes_is_the_same_object() -> None:
    assert changed(VALUE, lambda part: part) is VALUE


def shouted(part: object) -> object:
    return part.upper() if isinstance(part, str) and part in {"one", "four"} else part


def test_every_part_is_changed_and_what_stays_is_the_same_object() -> None:
    found = changed(VALUE, shouted)
    assert found == Value(
        "ONE", (1, 2), {"ONE": "two", "three": [None, "FOUR"]}, Value("five", (), {}, None)
    )
    assert isinstance(found, Value)
    assert (found.numbers is VALUE.numbers, found.inner is VALUE.inner) == (True, True)


def test_a_new_key_alone_changes_a_table_and_its_order_stays() -> None:
    found = changed({"a": None, "b": 1}, lambda part: "c" if part == "a" else part)
    assert json.dumps(found) == '{"c": null, "b": 1}'
