"""Take over one exchange from mitmproxy, so that rules control the client's socket directly.

mitmproxy continues as if it were answering the client, but its writes are dropped. The addon gets
the upstream's response through the callable that it sets as the `stream` of mitmproxy's response.
"""

import asyncio
import os
import socket
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Sequence
from typing import Final

import anyio
from attrs import define, field
from mitmproxy.proxy.layers.tls import ClientTLSLayer
from mitmproxy.proxy.server import ConnectionIO

from mock_server.faults.head import HeadPlan
from mock_server.faults.response import BodyKind, Head, end_to_end
from mock_server.mitm.tls import SilencedTls, TakenTls
from mock_server.net.failure import Failure, Reason
from mock_server.net.origin import (
    Answered,
    FixedSource,
    Reports,
    answered_by_upstream,
    answered_with_failure,
)
from mock_server.net.wire import Wire
from mock_server.requests import Request
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame, Framer

_HIGH_WATER: Final = 256 * 1024
_FINAL: Final = 200
"""The lowest status of a final response; lower ones are informational (RFC 9110, 15.2)."""


@define(eq=False)
class FlowSource:
    """The body of one response, fed by mitmproxy and read by the addon, as frames or as bytes."""

    end: Ending = field(default=Ending.EOF, init=False)
    framed: bool = field(default=False, init=False)
    _framer: Framer = field(factory=Framer, init=False)
    _frames: list[Frame] = field(factory=list[Frame], init=False)
    _waiting: int = field(default=0, init=False)
    _over: bool = field(default=False, init=False)
    _changed: anyio.Event = field(factory=anyio.Event, init=False)

    def feed(self, data: bytes) -> None:
        """Add bytes from the upstream; ignore bytes that arrive after the end or after `aclose`."""
        if self._over:
            return
        self._put(self._framer.feed(data) if self.framed else [Frame(data)])

    def finish(self, how: Ending) -> None:
        """Record how the upstream's response ended; later calls have no effect."""
        if not self._over:
            self.end = how
            self._over = True
            self._put(self._framer.close())

    def _put(self, frames: Sequence[Frame]) -> None:
        self._frames += frames
        self._waiting += sum(len(frame.raw) for frame in frames)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Wait for frames and return up to `limit`; an empty result means that no more follow."""
        while not self._frames and not self._over:
            if not whole and (part := self._framer.part()) is not None:
                return [part]
            await self._changed.wait()
        found, self._frames = self._frames[:limit], self._frames[limit:]
        self._waiting -= sum(len(frame.raw) for frame in found)
        self._wake()
        return found

    async def until_there_is_room(self) -> None:
        """Wait while too much data is unread; this slows down the upstream."""
        while self._waiting > _HIGH_WATER and not self._over:
            await self._changed.wait()

    async def aclose(self) -> None:
        """Drop all unread bytes, and ignore any that arrive later."""
        self._frames.clear()
        self._waiting = 0
        self._over = True
        self._wake()


_CUT_OFF: Final = Failure(Reason.TRUNCATED, "the response was cut off")


@define(eq=False)
class FlowOrigin:
    """The origin of one exchange: its responses come from mitmproxy's upstream."""

    source: FlowSource = field(factory=FlowSource, init=False)
    _head: Head | None = field(default=None, init=False)
    _fields: Sequence[tuple[str, str]] = field(default=(), init=False)
    """All header fields of the upstream's response, including those that are not forwarded."""
    _failure: Failure | None = field(default=None, init=False)
    _reports: Reports | None = field(default=None, init=False)
    _known: anyio.Event = field(factory=anyio.Event, init=False)

    def begin(self, status: int, reason: str, headers: Sequence[tuple[str, str]]) -> None:
        """Record the head of the upstream's response; treat an informational head as a failure."""
        if status < _FINAL:
            # mitmproxy treats it as the whole response and never forwards the final one.
            why = f"mitmproxy cannot forward an informational response ({status})"
            self.fail(Failure(Reason.MALFORMED, f"{why}; use the native proxy"))
            return
        self._head, self._fields = Head(status, reason, end_to_end(headers)), headers
        self.source.framed = BodyKind.of(headers).framed
        self._known.set()

    def fail(self, failure: Failure) -> None:
        """Record that the upstream failed, before or after it sent the head of its response."""
        if self._failure is None:
            self._failure = failure
            if self._reports is not None:
                self._reports.failed(failure)
        self._known.set()
        self.source.finish(Ending.FIN)

    async def answer(self, request: Request, plan: HeadPlan, reports: Reports) -> Answered:
        """Wait for the head and, like the native proxy, for a body of small, known length."""
        del plan
        self._reports = reports
        if self._failure is not None:
            reports.failed(self._failure)
        await self._known.wait()
        head = self._head
        if head is None:
            return answered_with_failure(self._failure or _CUT_OFF)
        answered = await answered_by_upstream(request, head, self._fields, self.source)
        if isinstance(answered.body, FixedSource) and answered.body.end is not Ending.EOF:
            return answered_with_failure(self._failure or _CUT_OFF)
        return answered


@define(eq=False)
class SilencedWriter:
    """The writer that mitmproxy gets instead of the client's; it drops all data.

    mitmproxy drains all writers after every read. `drain` waits for the addon, so a stalled client
    slows down its own upstream and no other.
    """

    _writer: asyncio.StreamWriter
    _origin: FlowOrigin

    async def drain(self) -> None:
        """Wait until the addon has read enough of the body."""
        await self._origin.source.until_there_is_room()

    def write(self, data: bytes) -> None:
        """Drop the data."""

    def write_eof(self) -> None:
        """Do nothing: the addon ends the connection."""

    def is_closing(self) -> bool:
        """Return False: the addon ends the connection."""
        return False

    def close(self) -> None:
        """Do nothing: the addon ends the connection."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        """Return what the real writer returns."""
        found: object = self._writer.get_extra_info(name, default)
        return found


def take_client(
    io: ConnectionIO, tls: Sequence[ClientTLSLayer], origin: FlowOrigin
) -> tuple[Wire, Callable[[], None]]:
    """Take over a client's connection: mitmproxy stops reading from it, and its writes are dropped.

    Return the client's wire, and a function that ends the connection for mitmproxy too. `tls`
    contains the TLS layers of the connection; it is empty if there is no TLS. Raise TypeError if
    the connection is not a plain TCP socket, or if it uses TLS within TLS.
    """
    writer = io.writer
    if not isinstance(writer, asyncio.StreamWriter) or len(tls) > 1:
        raise TypeError("the client's connection is not TCP, or it uses TLS within TLS")
    transport = writer.transport
    held: object = writer.get_extra_info("socket")
    if not isinstance(transport, asyncio.Transport) or not isinstance(held, TransportSocket):
        raise TypeError("the client's connection is not a plain socket")
    transport.pause_reading()
    io.writer = SilencedWriter(writer, origin)  # pyright: ignore[reportAttributeAccessIssue]
    own = socket.socket(fileno=os.dup(held.fileno()))
    if not tls:
        return Wire(own), transport.abort
    layer = tls[0]
    secured = Wire(own, TakenTls(layer.tls))
    layer.tls = SilencedTls(layer.tls)  # pyright: ignore[reportAttributeAccessIssue]
    return secured, transport.abort
