"""The answer to an inference call, streamed or whole (ARK-WIR).

It knows both shapes an answer may have, and how the backends that speak this dialect say that
something went wrong. It does not know how the bytes arrived.
"""

import json
import re
from collections.abc import Collection
from typing import Final

from attrs import define, field

from arkor_proto._dialect import decode_json
from arkor_proto._errors import ArkorError, EventTooLarge, ResponseError
from arkor_proto._event import ServerSentEvent
from arkor_proto._sse import EventStreamParser
from arkor_proto._types import Headers
from arkor_proto._walk import JsonObject, is_array, is_object
from arkor_proto._wire import Hider, coding_problem, is_event_stream

_DONE: Final = "[DONE]"
_LONGEST_ERROR: Final = 2_000
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_FIRST_HALF: Final = re.compile("[\ud800-\udbff]$")


@define
class ChatReader:
    """Reads one answer: `feed` returns the pieces of text as they come, `text` is all of them.

    `max_size` bounds one event of a stream, and the whole text, in bytes and in characters.
    `secrets` are cut out of what the backend says of an error. `done` tells that a streamed answer
    is whole: what follows, if anything, need not be read.
    """

    headers: Headers
    max_size: int
    secrets: Collection[str] = field(default=(), repr=False)
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
        """Take bytes of the body; raises ResponseError or EventTooLarge for what is no answer.

        Pieces that came before the error are returned; `check` or the next call raises it then.
        """
        self.check()
        if self._parser is None:
            self._body += data
            if len(self._body) > self.max_size:
                raise ResponseError(f"inference: the answer is larger than {self.max_size} bytes")
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
        """Raise the error that came behind the pieces, if there was one."""
        if self._failure is not None:
            raise self._failure

    def finish(self) -> list[str]:
        """Take the end of the body; raises ResponseError when the answer is not whole."""
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
            if event.data == _DONE:
                self.done = True
                self._failure = None  # what follows the end is not looked at
            elif piece := self._joined(self._content(event.data, "delta")):
                size += len(piece)
                if size > self.max_size:
                    raise ResponseError(
                        f"inference: the text is longer than {self.max_size} characters"
                    )
                pieces.append(piece)

    def _joined(self, piece: str) -> str:
        """Return a piece of text without a first half at its end, which waits for the second."""
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
            raise ResponseError(f"inference: the answer is not JSON: {error}") from error
        if is_object(answer) and (said := _error_in(answer)):
            hidden = Hider.of(self.secrets).text(said)
            raise ResponseError(f"inference: {hidden[:_LONGEST_ERROR]}")
        choices = answer.get("choices") if is_object(answer) else None
        if not is_array(choices):
            raise ResponseError(f"inference: the answer holds no choices[0].{part}.content")
        inner = _part(choices[0], part) if choices else None
        content = inner.get("content") if inner is not None else None
        return content if isinstance(content, str) else ""


def _whole(text: str) -> str:
    """Return text with surrogate pairs joined, and U+FFFD for halves that are alone."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _error_in(answer: JsonObject) -> str:
    """Return what an answer says of an error, "" if it is not one.

    `error` is a text or an object with a `message`; without `choices`, a `detail` or a `message`
    is the error.
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
