"""Which rule a wrong result is put down to."""

import pytest

from conformance.parser.mistakes import MISTAKES, explanations, likeliest, parsed_with
from conformance.parser.protocol import REPORTS
from conformance.parser.streams import Parsed, Stream, load_streams

ALL = frozenset(REPORTS)
STREAMS = [stream for stream in load_streams() if stream.max_event_size is None]


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.id)
def test_without_a_mistake_every_stream_is_parsed_right(stream: Stream) -> None:
    found = parsed_with(stream, ())
    assert found == stream.expected


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_is_found_again_by_the_streams_that_show_it(mistake: str) -> None:
    wrong = [
        (stream, result)
        for stream in STREAMS
        if (result := parsed_with(stream, (mistake,))) != stream.expected
    ]
    assert wrong
    found = [explanations(stream, made, ALL) for stream, made in wrong]
    assert all((mistake,) in each for each in found)
    assert set(likeliest(found)) == {(mistake,)}


def test_two_mistakes_at_once_are_both_named() -> None:
    pair = ("ARK-SSE-2", "ARK-SSE-8")
    (stream,) = [each for each in STREAMS if each.id == "L13"]
    both = Stream(
        id="both",
        source="",
        requires=("ARK-SSE-8",),
        chunks=(b"\xef\xbb\xbfdata: 1\n\n", *stream.chunks),
        expected=Parsed(events=()),
    )
    assert explanations(both, parsed_with(both, pair), ALL) == (pair,)


def test_an_unknown_mistake_is_left_to_the_rule_of_the_stream() -> None:
    (stream,) = [each for each in STREAMS if each.id == "A20"]
    assert explanations(stream, Parsed(events=(), last_event_id=""), ALL) == ()
