"""One connection to the backend; h11 serialises the requests and parses the responses.

This module does not follow redirects, decode content codings or retry, so the trace shows what the
backend did. It sends requests, and thus the token, only to the target.
"""

import os
import socket
import ssl
import struct
import sys
import time
from collections.abc import Sequence
from typing import Final, TypeGuard

import anyio
import h11
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSStream
from attrs import define, field

from conformance.backends.target import Target

COMPLETE: Final = "complete"
"""The body ended with its last chunk, or after as many bytes as its Content-Length gives."""
BY_CLOSE: Final = "ended when the connection was closed"
"""The response gave no length for its body, which ended when the connection was closed."""
CUT: Final = "cut off: the connection was closed before the body was complete"
UNANSWERED: Final = "closed without a response"
RESET: Final = "cut off: the connection was reset"
NOT_HTTP: Final = "not HTTP"
LEFT: Final = "closed by the kit"
NOT_IN_TIME: Final = "no response in time"
NOT_HALF_CLOSED: Final = "the sending side could not be closed"
_RST: Final = struct.pack("ii", 1, 0)
_PIECE: Final = 16_384
"""At most this many bytes are read at once, so that a fast stream does not block other tasks."""
_LONGEST_HEAD: Final = 65_536


class Unreachable(Exception):
    """The kit could not connect to the backend; the message says why."""


class Unsendable(Exception):
    """HTTP cannot carry the request, as when its cursor contains a NUL; the message says why."""


@define(eq=False)
class Wire:
    """An open connection. `ended` is empty until the response ends."""

    _stream: ByteStream = field(alias="stream")
    _http: h11.Connection = field(alias="http")
    ended: str = field(default="", init=False)
    status: int = field(default=0, init=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), init=False)
    interim: list[int] = field(factory=list[int], init=False)
    """The statuses of interim responses, such as 100."""
    problem: str = field(default="", init=False)
    """What was wrong with the response as HTTP or with the connection; empty if nothing was."""

    @classmethod
    async def to(cls, target: Target, seconds: float, *, receive_buffer: int = 0) -> "Wire":
        """Connect; raise Unreachable if that fails."""
        try:
            with anyio.fail_after(seconds):
                stream = await _connected(target, receive_buffer)
        except TimeoutError:
            raise Unreachable(
                f"{target.authority} did not accept a connection within {seconds:g} s"
            ) from None
        except ssl.SSLCertVerificationError as error:
            why = error.verify_message or str(error)
            raise Unreachable(
                f"the certificate of {target.authority} is not trusted: {why}; "
                "pass the signing authority's certificate with --ca-file"
            ) from error
        except ssl.SSLError as error:
            why = error.reason or str(error)
            raise Unreachable(f"TLS with {target.authority} failed: {why}") from error
        except OSError as error:
            raise Unreachable(f"cannot connect to {target.authority}: {_reason(error)}") from error
        return cls(stream, h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD))

    async def send(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes = b""
    ) -> None:
        """Send a request with its body; a broken connection shows only on the next read."""
        parts = [self._http.send(_request(method, target, headers))]
        if body:
            parts.append(self._http.send(h11.Data(body)))
        parts.append(self._http.send(h11.EndOfMessage()))
        await self._write(b"".join(part for part in parts if part))

    async def send_head(self, method: str, target: str, headers: Sequence[tuple[str, str]]) -> None:
        """Send the head of a request, without its body."""
        await self._write(self._http.send(_request(method, target, headers)) or b"")

    def cork(self) -> None:
        """Hold back what is sent, so that a request and a half-close share a packet (Linux only).

        This way, a backend that mistakes a half-close for a disconnect does so every time, however
        fast it responds.
        """
        raw = self._stream.extra(SocketAttribute.raw_socket, None)
        if sys.platform == "linux" and raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)

    async def half_close(self) -> None:
        """Close the sending side."""
        try:
            await self._stream.send_eof()
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, NotImplementedError):
            self.problem = self.problem or NOT_HALF_CLOSED

    async def _write(self, data: bytes) -> None:
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            return  # a response may have arrived before; head() and body() read it

    async def head(self, *, interim: bool = False) -> None:
        """Read the final head, or the next head of any kind if `interim`.

        If no such head arrives, `ended` says why.
        """
        while not self.ended:
            event = await self._next()
            match event:
                case h11.InformationalResponse():
                    self.interim.append(event.status_code)
                    if interim:
                        return
                case h11.Response():
                    self.status = event.status_code
                    self.headers = tuple(
                        (name.decode("latin-1").lower(), value.decode("latin-1"))
                        for name, value in event.headers
                    )
                    return
                case _:
                    pass

    async def body(self) -> bytes:
        """Return the next bytes of the body, or b"" after its end, which `ended` then describes."""
        while not self.ended:
            event = await self._next()
            match event:
                case h11.Data():
                    if event.data:
                        return bytes(event.data)
                case h11.EndOfMessage():
                    framed = {"content-length", "transfer-encoding"} & {n for n, _ in self.headers}
                    self.ended = BY_CLOSE if self._closed and not framed else COMPLETE
                case _:
                    pass
        return b""

    _closed: bool = field(default=False, init=False)

    @property
    def _cut(self) -> str:
        return CUT if self.status else UNANSWERED

    async def _next(self) -> object:
        """Return h11's next event; if there are no more, set `ended` and return None."""
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                self.ended = self._cut if self._closed else NOT_HTTP
                self.problem = "" if self.ended == UNANSWERED else str(error)
                return None
            if event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                self.ended = self.ended or (self._cut if self._closed else COMPLETE)
                return None
            if event is not h11.NEED_DATA:
                return event
            await self._read()
            if self.ended:
                return None

    async def _read(self) -> None:
        try:
            data = await self._stream.receive(_PIECE)
        except anyio.EndOfStream:
            self._closed = True
            data = b""
        except ssl.SSLError as error:
            self.ended, self.problem = CUT, f"TLS: {error.reason or error}"
            return
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            self.ended = self.ended or RESET
            return
        try:
            self._http.receive_data(data)
        except RuntimeError:  # data after the end of the response
            self.ended = self.ended or COMPLETE

    def again(self) -> bool:
        """Prepare for another request on this connection; return False if that is impossible."""
        if self.ended != COMPLETE:
            return False
        try:
            self._http.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        self.ended, self.status, self.headers = "", 0, ()
        self.interim.clear()
        return True

    async def close(self, *, reset: bool = False) -> None:
        """Close the connection, with RST if `reset`; set `ended` unless the response has ended."""
        self.ended = self.ended or LEFT
        if reset:
            raw = self._stream.extra(SocketAttribute.raw_socket, None)
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        with anyio.CancelScope(shield=True):
            try:
                await anyio.aclose_forcefully(self._stream)
            except (OSError, anyio.BrokenResourceError):
                return


async def _connected(target: Target, receive_buffer: int) -> ByteStream:
    plain: SocketStream
    if receive_buffer:
        plain = await _with_buffer(target, receive_buffer)
    else:
        plain = await anyio.connect_tcp(target.address.host, target.address.port)
    if target.address.tls is None:
        return plain
    try:
        return await TLSStream.wrap(
            plain,
            hostname=target.address.host,
            ssl_context=target.address.tls,
            standard_compatible=False,
        )
    except BaseException:
        await anyio.aclose_forcefully(plain)
        raise


async def _with_buffer(target: Target, size: int) -> SocketStream:
    """Connect with a receive buffer of this size, which must be set before connecting."""
    found = await anyio.getaddrinfo(
        target.address.host, target.address.port, type=socket.SOCK_STREAM
    )
    family, kind, number, _, address = found[0]
    raw = socket.socket(family, kind, number)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    raw.settimeout(0)
    try:
        raw.connect(address)
    except BlockingIOError:
        await anyio.wait_writable(raw)
    except BaseException:
        raw.close()
        raise
    return await SocketStream.from_socket(raw)


def _request(method: str, target: str, headers: Sequence[tuple[str, str]]) -> h11.Request:
    """Build a request; raise Unsendable if a value is not allowed in a header."""
    pairs = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    try:
        return h11.Request(method=method, target=target, headers=pairs)
    except h11.LocalProtocolError as error:
        raise Unsendable(f"the request has a header that cannot be sent: {error}") from error


def _reason(error: BaseException) -> str:
    """Return the operating system's description of an error, which contains no addresses."""
    number = error.errno if isinstance(error, OSError) else None
    if number is not None and not isinstance(error, socket.gaierror):
        return os.strerror(number)
    if _is_group(error):
        return _reason(error.exceptions[0])
    if error.__cause__ is not None:
        return _reason(error.__cause__)
    said = error.strerror if isinstance(error, OSError) else None
    return said or str(error)


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)


def now() -> float:
    """Return monotonic seconds."""
    return time.monotonic()
