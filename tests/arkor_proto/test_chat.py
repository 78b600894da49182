"""The answer to an inference call: streamed or whole, and cut off or refused."""

import pytest

from arkor_proto import EventTooLarge, Headers, ResponseError
from arkor_proto._calls import ChatReader
from arkor_proto._secrets import Hider

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


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ('{"error": "out of capacity"}', "out of capacity"),
        ('{"error": {"message": "out of capacity", "type": "x", "code": 7}}', "out of capacity"),
        ('{"error": {"detail": "out of capacity"}}', "out of capacity"),
        ('{"error": {"code": 7}}', '{"code": 7}'),
        ('{"error": ["a", "b"]}', '["a", "b"]'),
        ('{"error": {"message": {"en": "full"}}}', '{"en": "full"}'),
        ('{"error": true}', "true"),
        ('{"detail": "out of capacity"}', "out of capacity"),
        ('{"detail": [{"msg": "field required"}]}', '[{"msg": "field required"}]'),
        ('{"object": "error", "message": "out of capacity"}', "out of capacity"),
        ('{"type": "error", "error": {"message": "out of capacity"}}', "out of capacity"),
        ('{"choices": [], "error": {"message": "out of capacity"}}', "out of capacity"),
    ],
)
def test_an_error_is_told_however_the_backend_says_it(answer: str, said: str) -> None:
    with pytest.raises(ResponseError) as streamed:
        ChatReader(STREAM, 1000).feed(f"event: error\ndata: {answer}\n\n".encode())
    whole = ChatReader(WHOLE, 1000)
    whole.feed(answer.encode())
    with pytest.raises(ResponseError) as at_once:
        whole.finish()
    assert {str(streamed.value), str(at_once.value)} == {f"inference: {said}"}


@pytest.mark.parametrize("members", ['"error": null', '"error": ""', '"detail": "x"'])
def test_an_answer_with_words_is_no_error(members: str) -> None:
    reader = ChatReader(STREAM, 1000)
    data = f'data: {{{members}, "choices": [{{"delta": {{"content": "a"}}}}]}}\n\n'
    assert reader.feed(data.encode()) == ["a"]


def test_what_an_error_echoes_of_a_secret_is_hidden() -> None:
    reader = ChatReader(STREAM, 1000, Hider.of({"tok-endpoint-secret"}))
    with pytest.raises(ResponseError, match=r"bad key \*\*\*"):
        reader.feed(b'data: {"error": {"message": "bad key tok-endpoint-secret"}}\n\n')


def test_an_error_of_any_length_is_told_in_short() -> None:
    with pytest.raises(ResponseError) as caught:
        ChatReader(STREAM, 10**6).feed(b'data: {"error": "' + b"x" * 100_000 + b'"}\n\n')
    assert len(str(caught.value)) < 3_000


@pytest.mark.parametrize(
    "end", [b'data: {"error": "no"}\n\n', b"data: nope\n\n", b"data: " + b"x" * 2000]
)
def test_what_came_before_an_error_is_heard_first(end: bytes) -> None:
    reader = ChatReader(STREAM, 1000)
    assert reader.feed(piece("Hel") + piece("lo") + end) == ["Hel", "lo"]
    for call in (reader.check, reader.finish, lambda: reader.feed(b"")):
        with pytest.raises((ResponseError, EventTooLarge)):
            call()
    assert reader.text == "Hello"


def test_an_event_of_any_size_behind_the_end_is_ignored() -> None:
    reader = ChatReader(STREAM, 100)
    assert reader.feed(b"data: [DONE]\n\ndata: " + b"x" * 2000) == []
    assert (reader.done, reader.finish()) == (True, [])


def test_a_text_of_any_length_is_an_error() -> None:
    reader = ChatReader(STREAM, 100)
    for _ in range(10):
        assert reader.feed(piece("0123456789")) == ["0123456789"]
    with pytest.raises(ResponseError, match="longer than 100 characters"):
        reader.feed(piece("x"))


GRIN = "\N{GRINNING FACE}"


@pytest.mark.parametrize(
    ("pieces", "heard"),
    [
        ([r"a\ud83d", r"\ude00b"], ["a", f"{GRIN}b"]),
        ([r"\ud83d", r"\ude00"], [GRIN]),
        ([r"\ud83d", "", r"\ude00"], [GRIN]),
        ([r"\ud83d\ude00\ud83d", r"\ude00"], [GRIN, GRIN]),
        ([r"\ud83d", "x"], ["\ufffdx"]),
        ([r"\ud83d", r"\ud83d", r"\ude00"], ["\ufffd", GRIN]),
        ([r"\ude00"], ["\ufffd"]),
        (["a", r"\ud83d"], ["a", "\ufffd"]),
        (["\u00e9", GRIN], ["\u00e9", GRIN]),
    ],
)
def test_halves_of_a_character_are_joined(pieces: list[str], heard: list[str]) -> None:
    data = [*(piece(text) for text in pieces), b"data: [DONE]\n\n"]
    for chunks in (data, [b"".join(data)]):
        reader = ChatReader(STREAM, 1000)
        assert [each for chunk in chunks for each in reader.feed(chunk)] == heard
        assert reader.text == "".join(heard)


def test_a_half_without_the_other_is_shown_before_an_error() -> None:
    reader = ChatReader(STREAM, 1000)
    assert reader.feed(piece(r"\ud83d") + b'data: {"error": "no"}\n\n') == ["\ufffd"]
    with pytest.raises(ResponseError, match="inference: no"):
        reader.check()


def test_a_whole_answer_has_no_half_of_a_character() -> None:
    reader = ChatReader(WHOLE, 1000)
    reader.feed(rb'{"choices": [{"message": {"content": "a\ud83d\ude00\ud83d"}}]}')
    assert reader.finish() == [f"a{GRIN}\ufffd"]
