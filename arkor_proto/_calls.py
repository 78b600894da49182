"""Calls that do not belong to a trainer: the account, projects, an anonymous token and inference.

This module builds the requests and reads the responses. `CallAnswer` reads the response to any
call; `ChatReader` reads the text in the body of an inference response, which may be a stream or a
single JSON object (ARK-WIR). No function here does I/O.
"""

import json
import re
from collections.abc import Sequence
from typing import Final, assert_never

from attrs import define, field

from arkor_proto._dialect import decode_json
from arkor_proto._errors import ArkorError, EventTooLarge, ResponseError, StatusError
from arkor_proto._event import ServerSentEvent
from arkor_proto._messages import Broken, Finished, Received, Report, Responded
from arkor_proto._secrets import Hider
from arkor_proto._sse import EventStreamParser
from arkor_proto._types import Bounds, Endpoint, Headers, Request
from arkor_proto._walk import JsonObject, is_array, is_object
from arkor_proto._wire import (
    coding_problem,
    is_event_stream,
    is_success,
    page_problem,
    read_error,
    request_to,
    scope,
)

DONE: Final = "[DONE]"
"""The data of the last frame of a streamed response."""
_LONGEST_ERROR: Final = 2_000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FIRST_HALF: Final = re.compile("[\ud800-\udbff]$")


def projects_request(endpoint: Endpoint) -> Request:
    """Return the request that lists the organisation's projects."""
    return request_to(endpoint, "GET", "/v1/projects", {"orgSlug": endpoint.org})


def create_project_request(endpoint: Endpoint, name: str, slug: str) -> Request:
    """Return the request that creates a project; the backend answers 409 if the slug is taken."""
    body = {"name": name, "slug": slug}
    return request_to(endpoint, "POST", "/v1/projects", {"orgSlug": endpoint.org}, body=body)


def anonymous_request(endpoint: Endpoint) -> Request:
    """Return the request for an anonymous token."""
    return request_to(endpoint, "POST", "/v1/auth/anonymous", {}, body={"kind": "cli"})


def me_request(endpoint: Endpoint) -> Request:
    """Return the request that asks who the token belongs to."""
    return request_to(endpoint, "GET", "/v1/me", {})


def chat_request(
    endpoint: Endpoint,
    messages: Sequence[JsonObject],
    *,
    job_id: str,
    step: int,
    options: JsonObject | None = None,
) -> Request:
    """Return the request for inference on a checkpoint; the response may be a stream."""
    adapter = {"kind": "checkpoint", "jobId": job_id, "step": step}
    body = {"messages": list(messages), "adapter": adapter, "stream": True, **(options or {})}
    accept = "text/event-stream, application/json"
    return request_to(
        endpoint, "POST", "/v1/inference/chat", scope(endpoint), accept=accept, body=body
    )


@define(eq=False, repr=False)
class CallAnswer:
    """The part of a call's response that has arrived so far."""

    hider: Hider
    bounds: Bounds
    head: Responded | None = None
    failure: Exception | None = None
    _refusal: bytearray = field(init=False, factory=bytearray)

    def take(self, report: Report) -> bytes | None:
        """Return the piece of a 2xx body in `report`, b"" at its end, or None for any other report.

        Raise StatusError once the body of a refusal has been read, in full or up to the bound.
        """
        match report:
            case Responded():
                self.head = report
                return None
            case Received(_, data):
                return self._read(data)
            case Finished():
                return self._read(b"")
            case Broken(_, error):
                self.failure = error
                return None
            case never:
                assert_never(never)

    def _read(self, data: bytes) -> bytes | None:
        assert self.head is not None, "a transport must report the response head before the body"
        if is_success(self.head.status):
            return data
        bound = self.bounds.error_body
        self._refusal += data[: bound - len(self._refusal)]
        if not data or len(self._refusal) == bound:
            raise self.refusal(self.head)
        return None

    @property
    def refused(self) -> Responded | None:
        """The response head of a refusal, even before the body has arrived; otherwise None."""
        return None if self.head is None or is_success(self.head.status) else self.head

    def refusal(self, head: Responded) -> StatusError:
        """Return the error for a refusal, based on as much of its body as was read."""
        return read_error(head.status, head.headers, bytes(self._refusal), self.hider)


@define(eq=False, repr=False)
class WholeBody:
    """Collects the body of a 2xx response that is read as a whole."""

    hider: Hider
    bounds: Bounds
    body: bytearray = field(init=False, factory=bytearray)

    def take(self, head: Responded, data: bytes) -> bool:
        """Take a piece of the body, or b"" at its end; return False, so that the caller reads on.

        Raise ResponseError for a response that is too large, is compressed or is a web page.
        """
        self.body += data
        problem = coding_problem(head.headers)
        if len(self.body) > self.bounds.create_body:
            problem = f"larger than {self.bounds.create_body} bytes"
        elif not data and not problem:
            problem = self.hider.text(page_problem(head.headers, bytes(self.body)))
        if problem:
            raise ResponseError(f"response: {problem}")
        return False


@define(eq=False, repr=False)
class ChatReader:
    """Reads an inference response; `feed` returns the new text, and `text` is all the text so far.

    For a streamed response, `max_size` limits each event (in bytes) and the whole text (in
    characters); for any other response, it limits the body (in bytes). `hider` removes secrets
    from the backend's error messages. `done` is set once a streamed response is complete; anything
    after that need not be read.
    """

    headers: Headers
    max_size: int
    hider: Hider = field(factory=Hider)
    text: str = ""
    done: bool = False
    _failure: ArkorError | None = field(init=False, default=None)
    _half: str = field(init=False, default="")
    _parser: EventStreamParser | None = field(init=False)
    _body: bytearray = field(init=False, factory=bytearray)

    def __attrs_post_init__(self) -> None:
        if coded := coding_problem(self.headers):
            self._failure = ResponseError(f"inference: {coded}")
        streams = is_event_stream(self.headers)
        self._parser = EventStreamParser(max_event_size=self.max_size) if streams else None

    def feed(self, data: bytes) -> list[str]:
        """Return the text in `data`; raise ResponseError or EventTooLarge if it cannot be read.

        Text that arrived before the error is returned first; the error is then raised by `check`
        or by the next call.
        """
        self.check()
        if self._parser is None:
            self._body += data
            if len(self._body) > self.max_size:
                raise ResponseError(f"inference: the response is larger than {self.max_size} bytes")
            return []
        pieces: list[str] = []
        try:
            self._read(self._events(self._parser, data), pieces)
        except ArkorError as error:
            self._failure = error
        if self.done or self._failure is not None:
            pieces += self._rest()
        self.text += "".join(pieces)
        if not pieces:
            self.check()
        return pieces

    def check(self) -> None:
        """Raise the pending error, if any; the text before it has already been returned."""
        if self._failure is not None:
            raise self._failure

    def finish(self) -> list[str]:
        """Return the rest of the text; raise ResponseError if it is incomplete or invalid."""
        self.check()
        if self._parser is None:
            piece = _whole(self._content(self._body, "message"))
            self.text += piece
            return [piece] if piece else []
        if not self.done:
            raise ResponseError("inference: the stream ended before 'data: [DONE]'")
        return []

    def _events(self, parser: EventStreamParser, data: bytes) -> list[ServerSentEvent]:
        try:
            return parser.feed(data)
        except EventTooLarge as error:
            self._failure = error
            return list(error.events)

    def _read(self, events: list[ServerSentEvent], pieces: list[str]) -> None:
        size = len(self.text)
        for event in events:
            if self.done or event.type == "ping":
                continue
            if event.data == DONE:
                self.done = True
                self._failure = None  # anything after the end is ignored
            elif piece := self._joined(self._content(event.data, "delta")):
                size += len(piece)
                if size > self.max_size:
                    raise ResponseError(
                        f"inference: the text is longer than {self.max_size} characters"
                    )
                pieces.append(piece)

    def _joined(self, piece: str) -> str:
        """Return a piece of text, but keep a high surrogate at its end for the next call."""
        if piece.isascii() and not self._half:
            return piece
        piece, self._half = self._half + piece, ""
        if _FIRST_HALF.search(piece):
            piece, self._half = piece[:-1], piece[-1]
        return _whole(piece)

    def _rest(self) -> list[str]:
        half, self._half = self._half, ""
        return [_whole(half)] if half else []

    def _content(self, body: str | bytearray, part: str) -> str:
        try:
            answer = decode_json(body if isinstance(body, str) else body.decode("utf-8-sig"))
        except ValueError as error:
            raise ResponseError(f"inference: the response is not JSON: {error}") from error
        if is_object(answer) and (said := _error_in(answer)):
            hidden = self.hider.text(said)
            raise ResponseError(f"inference: {hidden[:_LONGEST_ERROR]}")
        choices = answer.get("choices") if is_object(answer) else None
        if not is_array(choices):
            raise ResponseError(f"inference: the response has no choices[0].{part}.content")
        inner = _part(choices[0], part) if choices else None
        content = inner.get("content") if inner is not None else None
        return content if isinstance(content, str) else ""


def _whole(text: str) -> str:
    """Return text with surrogate pairs joined and lone surrogates replaced by U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _error_in(answer: JsonObject) -> str:
    """Return the error message in a response, or "" if the response is not an error.

    The message is in `error`, which is usually a string or an object with a `message`; in a
    response without `choices`, it may also be in `detail` or `message`.
    """
    error = answer.get("error")
    if error is None and "choices" not in answer:
        error = answer.get("detail") or answer.get("message")
    if is_object(error):
        error = error.get("message") or error.get("detail") or error
    if isinstance(error, str) or not error:
        return error if isinstance(error, str) else ""
    return json.dumps(error, ensure_ascii=False)


def _part(choice: object, name: str) -> JsonObject | None:
    part = choice.get(name) if is_object(choice) else None
    return part if is_object(part) else None
