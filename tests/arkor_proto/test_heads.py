"""What the head of an answer says: redirects, content types and content codings."""

from typing import Protocol
from urllib.parse import unquote_to_bytes

import pytest

from arkor_proto import (
    HARDENED,
    Accepted,
    Deprecated,
    Endpoint,
    GaveUp,
    Headers,
    Operation,
    Reconnecting,
    ResponseError,
    StatusError,
)
from arkor_proto._calls import ChatReader
from tests.arkor_proto.session_driver import Trainer, following
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    EVENT_STREAM,
    attempts,
    job_answer,
    log,
)

ELSEWHERE = [
    "http://api.example/v1/jobs/job-1/events/stream",
    "//evil.example/v1",
    "https://api.example:8443/",
    "https://api.example:0/",
    "https://api.example:99999/",
    "https://api.example:port/",
    "https://user:secret@api.example/",
    "https://user@api.example/",
    "https://@api.example/",
    "//user@api.example/",
    "https://api.example@evil.example/",
    "https://evil.example\\@api.example/",
    "ht\ttps://evil.example/",
    "https:/\t/evil.example/",
    "javascript:alert(1)",
    "data:text/event-stream,x",
    "https://[::1/",
    "https://api.example./",
    "",
]
HOME = {
    "/moved?a=1": "/moved?a=1",
    "https://API.example:443/moved": "/moved",
    "https://api.example:/moved": "/moved",
    "//api.example/moved": "/moved",
    "?a=1": "/v1/jobs/job-1/events/stream?a=1",
    "/moved#here": "/moved",
    "/mo\tved": "/moved",
    "/\\evil.example/x": "/%5Cevil.example/x",
    "\\\\evil.example": "/v1/jobs/job-1/events/%5C%5Cevil.example",
    "https://api.example": "/",
}


def located(location: bytes) -> Headers:
    """Return the head of a redirect."""
    return ((b"Location", location),)


def redirected(location: bytes) -> Trainer:
    """Return a trainer whose stream was redirected, and whose budget is 0."""
    return following(policy=attempts(0)).open(307, located(location))


@pytest.mark.parametrize("location", ELSEWHERE)
def test_a_redirect_to_elsewhere_is_a_failure_of_the_budget(location: str) -> None:
    trainer = redirected(location.encode())
    if trainer.is_waiting:
        trainer.eof()
    assert trainer.routes == ["create", "stream"]
    assert isinstance(trainer.error(), GaveUp)


@pytest.mark.parametrize(("location", "target"), HOME.items())
def test_a_redirect_within_the_origin_is_followed(location: str, target: str) -> None:
    last = list(redirected(location.encode()).sent.values())[-1]
    assert last.target == target


def test_the_port_0_is_not_the_port_that_is_left_out() -> None:
    trainer = Trainer(endpoint=Endpoint(base_url="https://api.example:443"))
    trainer.follow().accept().open(307, located(b"https://api.example:0/v1"))
    assert trainer.routes == ["create", "stream"]


@pytest.mark.parametrize("text", ["größe", "voilà", "…", "豆腐😀", "\u0085", "a\u00a0b"])
def test_a_location_keeps_its_bytes(text: str) -> None:
    last = list(redirected(b"/moved?q=" + text.encode()).sent.values())[-1]
    assert last.target.isascii()
    assert unquote_to_bytes(last.target) == b"/moved?q=" + text.encode()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_next_open_goes_to_the_first_address_again(status: int) -> None:
    trainer = following().open(status, located(b"/moved")).open()
    trainer.frame(log(1), id="1").eof().due()
    targets = [request.target.partition("?")[0] for request in trainer.sent.values()]
    assert targets[1:] == ["/v1/jobs/job-1/events/stream", "/moved", targets[1]]


def answered(*fields: tuple[bytes, bytes]) -> Trainer:
    """Return a trainer of the strictest profile whose stream was answered with these fields."""
    return following(HARDENED).open(200, fields)


def is_read(trainer: Trainer) -> bool:
    """Return whether the answer is taken for a stream."""
    if not trainer.open_exchanges:
        return False
    return trainer.frame(COMPLETED).result.job.status == "completed"


TYPE = (b"Content-Type", b"text/event-stream")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], False),
        ([b""], False),
        ([b" , "], False),
        ([b"text/event-stream"], True),
        ([b"Text/Event-Stream ; charset=utf-8"], True),
        ([b"text/event-stream, text/event-stream"], True),
        ([b"text/event-stream", b"TEXT/EVENT-STREAM;x=y"], True),
        ([b'text/event-stream; note="a, b"'], True),
        ([b'text/event-stream; note="a\\", b"'], True),
        ([b"text/event-stream, text/html"], False),
        ([b"text/event-stream", b"text/html"], False),
        ([b"text/html", b"text/event-stream"], False),
        ([b"text/event-stream-2"], False),
        ([b"text/event-streamX"], False),
        ([b"text/event-stream\xa0;x=y"], False),
        ([b'text/event-stream; note="a, text/html'], False),
    ],
)
def test_each_content_type_counts(values: list[bytes], *, expected: bool) -> None:
    assert is_read(answered(*((b"content-type", value) for value in values))) is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], True),
        ([b""], True),
        ([b"identity"], True),
        ([b"Identity, IDENTITY"], True),
        ([b"identity", b"identity"], True),
        ([b"none"], False),
        ([b"gzip"], False),
        ([b"identity, gzip"], False),
        ([b"identity", b"gzip"], False),
        ([b"identity;q=1"], False),
    ],
)
def test_each_content_coding_counts(values: list[bytes], *, expected: bool) -> None:
    codings = ((b"Content-Encoding", value) for value in values)
    assert is_read(answered(TYPE, *codings)) is expected


def apart(name: bytes, *values: bytes) -> Headers:
    """Return one field for each value."""
    return tuple((name, value) for value in values)


class Written(Protocol):
    """How the values of a repeated field are written."""

    def __call__(self, name: bytes, *values: bytes) -> Headers:
        """Return the fields."""
        ...


def joined(name: bytes, *values: bytes) -> Headers:
    """Return one field with all values."""
    return ((name, b", ".join(values)),)


WRITTEN = pytest.mark.parametrize("written", [apart, joined])
CODINGS = pytest.mark.parametrize(
    ("codings", "foreign"),
    [
        ((b"identity", b"gzip"), True),
        ((b"gzip", b"identity"), True),
        ((b"identity", b"identity"), False),
        ((b"", b"identity"), False),
        ((b"", b"br"), True),
    ],
)


@WRITTEN
@CODINGS
def test_repeated_codings_mean_the_same_joined_and_apart(
    written: Written, codings: tuple[bytes, ...], *, foreign: bool
) -> None:
    headers = written(b"Content-Encoding", *codings)
    stream = following().open(200, (*EVENT_STREAM, *headers))
    assert (stream.failures == [1]) is foreign
    create = Trainer().start().answer("create", 200, b"\x1f\x8b", headers)
    assert ("the request accepts only identity" in str(create.error(Operation.START))) is foreign
    chat = ChatReader((*EVENT_STREAM, *headers), 1000)
    with pytest.raises(ResponseError, match="only identity" if foreign else "before 'data:"):
        chat.finish()


@WRITTEN
@pytest.mark.parametrize(
    ("types", "streams"),
    [
        ((b"text/event-stream", b"text/event-stream"), True),
        ((b"text/event-stream", b"Text/Event-Stream; charset=utf-8"), True),
        ((b"text/event-stream", b"text/html"), False),
        ((b"text/html", b"text/event-stream"), False),
    ],
)
def test_repeated_types_mean_the_same_joined_and_apart(
    written: Written, types: tuple[bytes, ...], *, streams: bool
) -> None:
    headers = written(b"Content-Type", *types)
    assert (following(HARDENED).open(200, headers).delays == []) is streams
    assert ChatReader(headers, 1000).feed(b": hello\n\n") == []
    create = Trainer().start().answer("create", 200, job_answer(), headers)
    assert create.outcome(Operation.START) == Accepted("job-1")


@WRITTEN
@pytest.mark.parametrize(
    ("name", "values"),
    [
        (b"Retry-After", (b"30", b"60")),
        (b"Deprecation", (b"true", b"true")),
        (b"Deprecation", (b"true", b"false")),
        (b"Warning", (b'299 - "one, two"', b'299 - "three"')),
    ],
)
def test_other_repeated_fields_mean_the_same_joined_and_apart(
    written: Written, name: bytes, values: tuple[bytes, ...]
) -> None:
    deprecated = () if name == b"Deprecation" else ((b"Deprecation", b"true"),)
    trainer = following(HARDENED).refuse(503, b"", (*deprecated, *written(name, *values)))
    expected = {
        b"Retry-After": [""],
        b"Deprecation": [""] if values[1] == b"true" else [],
        b"Warning": ["one, two"],
    }
    assert [notice.message for notice in trainer.heard(Deprecated)] == expected[name]
    assert trainer.delays == [1.0]
    error = trainer.heard(Reconnecting)[0].cause
    assert isinstance(error, StatusError)
    assert error.headers[name.decode().lower()] == b", ".join(values).decode()


def test_a_redirect_to_two_places_is_not_followed() -> None:
    headers = apart(b"Location", b"/a", b"/b")
    assert following().refuse(302, b"", headers).failures == [1]
