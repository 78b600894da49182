"""The answer to an inference call, streamed or whole (ARK-WIR).

It knows both shapes an answer may have, and refuses to know how its bytes arrived.
"""

from attrs import define, field

from arkor_proto._dialect import decode_json
from arkor_proto._errors import ResponseError
from arkor_proto._sse import EventStreamParser
from arkor_proto._types import Headers
from arkor_proto._walk import JsonObject, is_array, is_object
from arkor_proto._wire import is_event_stream

_DONE = "[DONE]"


@define
class ChatReader:
    """Reads one answer: `feed` returns the pieces of text as they come, `text` is all of them.

    `done` says that a streamed answer is whole: what follows, if anything, need not be read.
    """

    headers: Headers
    max_size: int
    text: str = ""
    done: bool = False
    _parser: EventStreamParser | None = field(init=False)
    _body: bytearray = field(init=False, factory=bytearray)

    def __attrs_post_init__(self) -> None:
        streams = is_event_stream(self.headers)
        self._parser = EventStreamParser(max_event_size=self.max_size) if streams else None

    def feed(self, data: bytes) -> list[str]:
        """Take bytes of the body; raises ResponseError or EventTooLarge for what is no answer."""
        if self._parser is None:
            self._body += data
            if len(self._body) > self.max_size:
                raise ResponseError(f"inference: the answer is larger than {self.max_size} bytes")
            return []
        pieces: list[str] = []
        for event in self._parser.feed(data):
            if event.type == "ping":
                continue
            if event.data == _DONE:
                self.done = True
            elif not self.done and (piece := _content(event.data, "delta")):
                pieces.append(piece)
        self.text += "".join(pieces)
        return pieces

    def finish(self) -> list[str]:
        """Take the end of the body; raises ResponseError when the answer is not whole."""
        if self._parser is None:
            piece = _content(self._body, "message")
            self.text += piece
            return [piece] if piece else []
        if not self.done:
            raise ResponseError("inference: the stream ended before 'data: [DONE]'")
        return []


def _content(body: str | bytearray, part: str) -> str:
    try:
        answer = decode_json(body if isinstance(body, str) else body.decode("utf-8-sig"))
    except ValueError as error:
        raise ResponseError(f"inference: the answer is not JSON: {error}") from error
    choices = answer.get("choices") if is_object(answer) else None
    if is_object(answer) and isinstance(said := answer.get("error"), str):
        raise ResponseError(f"inference: {said}")
    if not is_array(choices):
        raise ResponseError(f"inference: the answer holds no choices[0].{part}.content")
    inner = _part(choices[0], part) if choices else None
    content = inner.get("content") if inner is not None else None
    return content if isinstance(content, str) else ""


def _part(choice: object, name: str) -> JsonObject | None:
    part = choice.get(name) if is_object(choice) else None
    return part if is_object(part) else None
