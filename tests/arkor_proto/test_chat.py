"""The answer to an inference call: streamed or whole, and cut off or refused."""

import pytest

from arkor_proto import EventTooLarge, Headers, ResponseError
from arkor_proto._chat import ChatReader

STREAM: Headers = ((b"Content-Type", b"Text/Event-Stream; charset=utf-8"),)
WHOLE: Headers = ((b"Content-Type", b"application/json"),)


def piece(text: str) -> bytes:
    """Return one frame of an answer."""
    return f'data: {{"choices": [{{"delta": {{"content": "{text}"}}}}]}}\n\n'.encode()


def test_a_streamed_answer_comes_in_pieces() -> None:
    reader = ChatReader(STREAM, 1000)
    pieces = [*reader.feed(piece("Hel")), *reader.feed(piece("lo") + b"data: [DONE]\n\n")]
    assert (pieces, reader.finish(), reader.text) == (["Hel", "lo"], [], "Hello")


def test_a_frame_without_words_is_no_piece() -> None:
    reader = ChatReader(STREAM, 1000)
    data = b'data: {"choices": []}\n\ndata: {"choices": [{"delta": {}}]}\n\n'
    assert reader.feed(data + b'data: {"choices": [7]}\n\n' + piece("")) == []


def test_a_keep_alive_is_no_piece() -> None:
    assert ChatReader(STREAM, 1000).feed(b"event: ping\ndata: {}\n\n: hello\n\n") == []


def test_what_comes_after_the_end_is_ignored() -> None:
    assert ChatReader(STREAM, 1000).feed(b"data: [DONE]\n\n" + piece("x")) == []


def test_a_stream_that_is_cut_off_is_an_error() -> None:
    reader = ChatReader(STREAM, 1000)
    reader.feed(piece("Hel"))
    with pytest.raises(ResponseError, match=r"before 'data: \[DONE\]'"):
        reader.finish()


def test_an_event_of_any_size_is_an_error() -> None:
    with pytest.raises(EventTooLarge):
        ChatReader(STREAM, 10).feed(piece("far too long for ten bytes"))


@pytest.mark.parametrize("headers", [WHOLE, ()])
def test_a_whole_answer_comes_at_its_end(headers: Headers) -> None:
    reader = ChatReader(headers, 1000)
    halves = (b'{"choices": [{"message": ', b'{"content": "Hello"}}]}')
    before = [reader.feed(half) for half in halves]
    assert (before, reader.finish(), reader.text) == ([[], []], ["Hello"], "Hello")


def test_a_whole_answer_without_words_is_no_piece() -> None:
    reader = ChatReader(WHOLE, 1000)
    reader.feed(b'{"choices": [{"message": {"content": null}}]}')
    assert reader.finish() == []


def test_a_whole_answer_of_any_size_is_an_error() -> None:
    with pytest.raises(ResponseError, match="larger than 10 bytes"):
        ChatReader(WHOLE, 10).feed(b"x" * 11)


@pytest.mark.parametrize("body", [b"", b"nope", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_is_an_error(body: bytes) -> None:
    reader = ChatReader(WHOLE, 10**6)
    reader.feed(body)
    with pytest.raises(ResponseError, match="not JSON"):
        reader.finish()


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"choices": "x"}'])
def test_json_without_choices_is_an_error(body: bytes) -> None:
    reader = ChatReader(WHOLE, 1000)
    reader.feed(body)
    with pytest.raises(ResponseError, match=r"no choices\[0\].message.content"):
        reader.finish()


def test_an_error_in_the_middle_of_a_stream_is_told() -> None:
    with pytest.raises(ResponseError, match="inference: out of capacity"):
        ChatReader(STREAM, 1000).feed(b'data: {"error": "out of capacity"}\n\n')
