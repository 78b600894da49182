"""What a block of a stream is to a client, and what is wrong with its data."""

import pytest

from conformance.backends.blocks import Block, block_of
from mock_server.sse import Frame


def block(text: str | bytes, *, is_whole: bool = True) -> Block:
    """Read a block."""
    raw = text if isinstance(text, bytes) else text.encode()
    return block_of(Frame(raw), 0.0, is_whole=is_whole)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_fields_are_read_whatever_ends_a_line(end: str) -> None:
    found = block(end.join(["id: 7", "event:training.log", 'data: {"type":', 'data: "x"}', "", ""]))
    assert (found.id, found.event, found.type, found.problem) == ("7", "training.log", "x", "")


DURABLE = {
    'data: {"type": "training.log"}': True,
    'id: 1\ndata: {"type": "training.log"}': True,
    'id: 1\ndata: {"type": "of.another.kind"}': True,
    'data: {"type": "of.another.kind"}': False,
    'id: 1\nevent: ping\ndata: {"type": "training.log"}': False,
    "id: 1\nevent: end\ndata: {}": False,
    "id: 1": False,
    ": comment": False,
}


@pytest.mark.parametrize(("text", "durable"), DURABLE.items())
def test_a_durable_event_has_a_known_type_or_an_id(text: str, *, durable: bool) -> None:
    assert block(f"{text}\n\n").is_durable is durable


def test_a_block_without_its_blank_line_does_not_count_for_a_client() -> None:
    found = block('id: 1\ndata: {"type": "training.completed"}', is_whole=False)
    assert (found.is_durable, found.is_terminal, found.is_comment) == (False, False, False)


@pytest.mark.parametrize("text", ["event: end\ndata: {}", 'data: {"type": "training.failed"}'])
def test_a_terminal_frame_is_one_at_which_a_client_stops(text: str) -> None:
    assert block(f"{text}\n\n").is_terminal


def test_an_end_without_data_is_dispatched_by_no_parser() -> None:
    assert not block("event: end\n\n").is_terminal


def test_an_id_with_a_nul_is_ignored() -> None:
    assert block(b"id: a\0b\ndata: {}\n\n").id is None


def test_a_byte_order_mark_is_not_part_of_a_field() -> None:
    found = block(b"\xef\xbb\xbfid: 1\n\n")
    assert (found.id, found.stray) == ("1", ())


def test_lines_that_are_not_fields_are_told() -> None:
    assert block("nonsense: 1\nid: 2\n\n").stray == ("nonsense",)


PROBLEMS = {
    '{"loss": NaN}': "is not JSON: NaN is not JSON",
    '{"loss": -Infinity}': "is not JSON: -Infinity is not JSON",
    "[]": "is JSON, but not an object",
    "": "is not JSON: Expecting value: line 1 column 1 (char 0)",
    '{"text": "\\ud800"}': "lone surrogate",
    '{"\\udfff": 1}': "lone surrogate",
    '{"a": ' + "[" * 200_000: "is nested too deeply",
    '{"a": ' + "[" * 900 + "]" * 900 + "}": "",
    '{"text": "\\ud834\\udd1e"}': "",
}


@pytest.mark.parametrize(("data", "problem"), PROBLEMS.items(), ids=range(len(PROBLEMS)))
def test_data_is_one_json_object(data: str, problem: str) -> None:
    found = block(f"id: 1\ndata: {data}\n\n").problem
    assert problem in found
    assert bool(problem) is bool(found)


def test_data_of_a_signal_may_be_anything() -> None:
    assert block("event: ping\ndata: hello\n\n").problem == ""
