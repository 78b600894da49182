"""An event stream through the real parser, in the terms of the slow one."""

from collections.abc import Iterable
from typing import Final

from attrs import define, field

from arkor_proto import EventStreamParser, EventTooLarge, LocalProtocolError, ServerSentEvent
from tests.arkor_proto.sse_oracle import Dispatched, Reading

DEFAULT_BOUND: Final = 8 * 2**20
TOKENS: Final = (
    *(b"data", b"event", b"id", b"retry", b"data: ", b"event: ", b"id: ", b"retry: ", b": "),
    *(b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\xef\xbb\xbf", b"\0"),
    *(b"\xff", b"\xe2\x82", b"\xf0\x9f\x98\x80", b"\xc2\x85", b"\xe2\x80\xa8", b"\xd9\xa3"),
    *(b"id: 1\nevent: e\ndata: a\n\n", b"data: a\ndata: b\n\n", b"retry: 1500\n\n", b": ping\n\n"),
)
"""The words of event streams."""


@define
class Connection:
    """One parser, and what it has said."""

    _parser: EventStreamParser
    events: list[Dispatched] = field(factory=list[Dispatched], init=False)
    too_large: bool = field(default=False, init=False)

    def feed(self, chunks: Iterable[bytes | bytearray | memoryview]) -> None:
        """Feed chunks, as far as they are taken."""
        try:
            for chunk in chunks:
                self._take(self._parser.feed(chunk))
        except EventTooLarge as error:
            self._take(error.events)
            self.too_large = True

    def reading(self) -> Reading:
        """End the stream; return what was read."""
        self._parser.close()
        try:
            self._parser.feed(b"data: late\n\n")
        except LocalProtocolError:
            pass
        else:
            raise AssertionError("a closed parser was fed")
        parser = self._parser
        return Reading(parser.last_event_id, parser.retry, self.events, self.too_large)

    def _take(self, events: Iterable[ServerSentEvent]) -> None:
        self.events += [
            Dispatched(each.type, each.data, each.last_event_id, each.has_id) for each in events
        ]


def parse(
    chunks: Iterable[bytes | bytearray | memoryview],
    cursor: str = "",
    bound: int = DEFAULT_BOUND,
) -> Reading:
    """Read a stream in chunks, to its end or its first event over the bound."""
    connection = Connection(EventStreamParser(cursor, bound))
    connection.feed(chunks)
    return connection.reading()


def agree(ours: Reading, plain: Reading, how: str) -> None:
    """Compare what the parser has read with what the slow one has."""
    assert ours == plain, f"{how}: the parser read {ours}, the oracle {plain}"
