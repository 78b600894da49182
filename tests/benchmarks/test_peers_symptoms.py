"""Tests of the descriptions of wrong results."""

import pytest

from tests.benchmarks.peers import symptoms
from tests.benchmarks.peers.parsers import Row
from tests.benchmarks.peers.symptoms import symptom


def message(data: str, id_: str = "") -> Row:
    return ("message", data, id_)


@pytest.mark.parametrize(
    ("words", "stream", "expected", "actual"),
    [
        (symptoms.LOST_AFTER_BOM, "\ufeffdata: a\n\n", [message("a")], []),
        (symptoms.EMPTY, "event: x\n\n", [], [("x", "", "")]),
        (symptoms.EMPTY, "id: 4\n\n", [], [message("", "4")]),
        (symptoms.UNFINISHED, "data: a\n\ndata: b\n", [message("a")], [message("a"), message("b")]),
        (symptoms.NUL, "id: \0\ndata: a\n\n", [message("a")], [message("a", "\0")]),
        (symptoms.FORGETS_ID, "...", [message("a", "1")], [message("a")]),
        (symptoms.ID, "...", [message("a", "1")], [message("a", "2")]),
        (symptoms.SPACES, "data:  a\n\n", [message(" a")], [message("a")]),
        (symptoms.CR, "data: a\rdata: b\n\n", [message("a\nb")], [message("a\rdata: b")]),
        (symptoms.CR, "data: a\r\r", [message("a")], []),
        (symptoms.EMPTY_LINES, "data:\ndata: a\n\n", [message("\na")], [message("a")]),
        (symptoms.LOSES, "data: a\n\n", [message("a")], []),
        (symptoms.INVENTS, "data: a\n\n", [message("a")], [message("a"), message("b")]),
        (symptoms.TEXT, "data: a\n\n", [message("a")], [message("b")]),
    ],
)
def test_a_wrong_result_has_plain_words(
    words: str, stream: str, expected: list[Row], actual: list[Row]
) -> None:
    assert symptom([stream.encode()], "", expected, actual) == words


def test_an_id_that_was_resumed_with_is_forgotten() -> None:
    found = symptom([b"data: a\n\n"], "7", [message("a", "7")], [message("a")])
    assert found == symptoms.FORGETS_CURSOR


def test_two_halves_of_a_crlf_are_two_line_ends() -> None:
    chunks = [b"data: a\r", b"\ndata: b\n\n"]
    found = symptom(chunks, "", [message("a\nb")], [message("a"), message("b")])
    assert found == symptoms.CRLF
