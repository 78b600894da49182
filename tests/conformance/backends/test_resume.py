"""What is said of a resumed stream that differs from the log."""

import pytest

from conformance.backends.cases.handoff import amiss


@pytest.mark.parametrize(
    ("ids", "wrong"),
    [
        ("", ""),
        ("34", ""),
        ("345", ""),
        ("35", "'5' without '4' before it"),
        ("334", "'3' again"),
        ("324", "'2' again"),
        ("3455", "'5' again"),
    ],
)
def test_a_resumed_stream_is_held_against_the_rest_of_the_log(ids: str, wrong: str) -> None:
    assert amiss(ids, "345") == wrong
