"""Values: how they are shown, compared and hashed."""

import sys

import attrs
import pytest

import arkor_proto
from arkor_proto import JobSpec, Received, ServerSentEvent, Start, Tick, TrainingLog
from arkor_proto._value import Value

PUBLIC = [
    each
    for name in arkor_proto.__all__
    if isinstance(each := getattr(arkor_proto, name), type) and attrs.has(each)
]
CORE = [
    each
    for name, module in sys.modules.items()
    if name.startswith("arkor_proto._")
    for each in vars(module).values()
    if isinstance(each, type) and each.__module__ == name and attrs.has(each) and each is not Value
]


@pytest.mark.parametrize("kind", CORE, ids=lambda kind: kind.__name__)
def test_attrs_writes_no_comparison_for_a_class_of_the_core(kind: type) -> None:
    assert "__eq__" not in vars(kind)


def test_every_public_value_is_compared_by_its_fields() -> None:
    assert {kind.__name__ for kind in PUBLIC if not issubclass(kind, Value)} == {
        "EventStreamParser"
    }


def test_values_with_equal_fields_are_equal_and_have_one_hash() -> None:
    assert Received(1, b"x") == Received(1, b"x") != Received(1, b"y")
    assert len({Received(1, b"x"), Received(1, b"x"), Start(), Start()}) == 2


def test_values_of_two_classes_differ() -> None:
    assert Start() != Tick()
    assert Start() != ()


def test_a_field_that_is_not_compared_makes_no_difference() -> None:
    without, having = ServerSentEvent("a", "b", "c"), ServerSentEvent("a", "b", "c", has_id=True)
    assert without == having
    assert hash(without) == hash(having)


def test_a_value_shows_its_fields_as_they_want_to_be_shown() -> None:
    assert repr(TrainingLog(step=1)).startswith("TrainingLog(step=1, loss=None, ")
    assert repr(JobSpec(name="n", config={"token": "t", "r": 1})) == (
        "JobSpec(name='n', config={'token': '***', 'r': 1})"
    )
    assert repr(Received(1, b"xy")) == "Received(exchange=1, data=<2 bytes>)"
    assert "permanent_statuses" not in repr(arkor_proto.HARDENED)
    assert repr(Start()) == "Start()"
