"""The native reverse proxy: a real backend as the origin of the same faults.

It knows how to ask an upstream over HTTP/1.1 and to hand its bytes on unchanged. It refuses to
know faults: the engine does to a real stream what it does to the mock's own.
"""

import ssl
from collections.abc import Sequence
from typing import Final
from urllib.parse import SplitResult, urlsplit

import anyio
import h11
from anyio.abc import ByteStream
from attrs import define, field, frozen

from mock_server.backend import Reply, refuse
from mock_server.framing import Frame, Framer, frame_of
from mock_server.heads import HOP_BY_HOP, NO_BODY, BodyKind, Head, end_to_end, phrase_of
from mock_server.net.malformed import what_is_wrong
from mock_server.net.service import Answered, FixedSource, answered_to_head
from mock_server.routing import Request
from mock_server.shapes import ScenarioError
from mock_server.vocabulary import Capability, Ending, Resume, Shift

PROXY_CAPABILITIES: Final = frozenset(Capability) - {Capability.BACKEND}
_BLOCK: Final = 65_536
_CONNECT_TIME: Final = 10.0
_HEAD_LIMIT: Final = 1 << 20


class _Failed(Exception):
    """The upstream did not answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@frozen
class Upstream:
    """Where the real backend is; `verify` None trusts what the system trusts."""

    parts: SplitResult
    verify: ssl.SSLContext | None = None

    @classmethod
    def at(cls, url: str, verify: ssl.SSLContext | None = None) -> "Upstream":
        """Read a URL; raises ScenarioError when it is none that can be proxied."""
        try:
            parts = urlsplit(url)
            right = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
        except ValueError:
            parts, right = SplitResult("", "", "", "", ""), False
        if not right or parts.query or parts.fragment or parts.username:
            raise ScenarioError(f"upstream: {url!r} is no http:// or https:// URL of a backend")
        return cls(parts, verify)

    async def connect(self) -> ByteStream:
        """Open one connection; raises OSError and ssl.SSLError."""
        secure = self.parts.scheme == "https"
        host = self.parts.hostname or ""
        port = self.parts.port or (443 if secure else 80)
        if not secure:
            return await anyio.connect_tcp(host, port)
        context = self.verify or ssl.create_default_context()
        try:
            return await anyio.connect_tcp(
                host, port, tls=True, ssl_context=context, tls_standard_compatible=False
            )
        except (anyio.EndOfStream, anyio.BrokenResourceError) as error:
            raise ConnectionResetError("the connection ended within the TLS handshake") from error


@define(eq=False)
class UpstreamExchange:
    """One request to the upstream on a connection of its own."""

    _stream: ByteStream
    _http: h11.Connection = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)

    async def ask(self, request: Request, upstream: Upstream) -> h11.Response:
        """Send the request, return the head of the final answer."""
        headers = [
            (name.encode(), value.encode("latin-1"))
            for name, value in request.headers
            if name not in HOP_BY_HOP and name not in {"host", "expect", "content-length"}
        ]
        headers = [(b"Host", upstream.parts.netloc.encode()), *headers]
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            headers.append((b"Content-Length", str(len(request.body)).encode()))
        target = upstream.parts.path.rstrip("/") + request.target
        head = h11.Request(method=request.method, target=target.encode("latin-1"), headers=headers)
        out = self._http.send(head) or b""
        if request.body:
            out += self._http.send(h11.Data(request.body)) or b""
        out += self._http.send(h11.EndOfMessage()) or b""
        try:
            await self._stream.send(out)
        except anyio.BrokenResourceError as error:
            raise ConnectionResetError("the connection ended within the request") from error
        while True:
            event = await self.event()
            if isinstance(event, h11.Response):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("the connection ended before a head")

    async def event(self) -> h11.Event:
        """Return the next thing that the upstream says; raises h11.RemoteProtocolError, OSError."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._receive())
            elif isinstance(event, type):
                raise h11.RemoteProtocolError("the upstream went on after its answer")
            else:
                return event

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive(_BLOCK)
        except anyio.EndOfStream:
            return b""
        except anyio.BrokenResourceError as error:
            raise ConnectionResetError from error

    async def aclose(self) -> None:
        """End the connection at once."""
        await anyio.aclose_forcefully(self._stream)


@define(eq=False)
class UpstreamSource:
    """The body of an answer: frames when somebody acts on frames, else bytes as they come."""

    _exchange: UpstreamExchange
    _framed: bool
    end: Ending = field(default=Ending.EOF, init=False)
    _framer: Framer = field(factory=Framer, init=False)
    _passed: int = field(default=0, init=False)
    _over: bool = field(default=False, init=False)

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Return what came in one read, which is its own limit."""
        del limit
        while not self._over:
            data = await self._data()
            if data is None:
                self._over = True
                rest = self._framer.close()[self._passed :]
                return [Frame(rest)] if rest else []
            frames = self._cut(data, whole=whole) if self._framed else [Frame(data)]
            if frames:
                return frames
        return []

    async def _data(self) -> bytes | None:
        try:
            event = await self._exchange.event()
        except h11.RemoteProtocolError:
            self.end = Ending.FIN
            return None
        except OSError:
            self.end = Ending.RST
            return None
        return bytes(event.data) if isinstance(event, h11.Data) else None

    def _cut(self, data: bytes, *, whole: bool) -> list[Frame]:
        found: list[Frame] = []
        for block in self._framer.feed(data):
            frame = frame_of(block)
            found.append(Frame(block[self._passed :], frame.id, frame.event, frame.type))
            self._passed = 0
        if not whole and self._framer.pending > self._passed:
            found.append(Frame(self._framer.tail(self._passed), part=True))
            self._passed = self._framer.pending
        return found

    async def aclose(self) -> None:
        """End the connection to the upstream."""
        await self._exchange.aclose()


@define(eq=False)
class ProxyOrigin:
    """A real backend as the origin."""

    upstream: Upstream

    async def answer(self, request: Request, resume: Resume | Shift | None) -> Answered:
        """Ask the upstream; an upstream that fails is a 502 or 504 of the proxy."""
        del resume
        try:
            exchange, response = await self._ask(request)
        except _Failed as failed:
            reply = failed.reply
            return Answered(Head(reply.status, phrase_of(reply.status), reply.headers), reply.body)
        pairs = [(k.decode(), v.decode("latin-1")) for k, v in response.headers.raw_items()]
        about = BodyKind.of(pairs)
        reason = response.reason.decode("latin-1")
        head = Head(response.status_code, reason, end_to_end(pairs))
        source = UpstreamSource(exchange, about.framed)
        if request.method == "HEAD":
            await source.aclose()
            return answered_to_head(head, pairs)
        if about.small and not about.framed:
            return await self._whole(head, source)
        if response.status_code in NO_BODY:
            await source.aclose()
            return Answered(head, b"")
        return Answered(head, source)

    async def _ask(self, request: Request) -> tuple[UpstreamExchange, h11.Response]:
        where = self.upstream.parts.netloc
        try:
            with anyio.fail_after(_CONNECT_TIME):
                exchange = UpstreamExchange(await self.upstream.connect())
        except TimeoutError:
            raise _Failed(refuse(504, f"upstream {where}: no connection in time")) from None
        except OSError as error:
            raise _Failed(refuse(502, f"upstream {where}: {error}")) from None
        try:
            return exchange, await exchange.ask(request, self.upstream)
        except (OSError, h11.ProtocolError) as error:
            await exchange.aclose()
            why = what_is_wrong(error) if isinstance(error, h11.ProtocolError) else error
            raise _Failed(refuse(502, f"upstream {where}: {why}")) from None
        except BaseException:
            await exchange.aclose()
            raise

    async def _whole(self, head: Head, source: UpstreamSource) -> Answered:
        parts: list[bytes] = []
        try:
            while frames := await source.next(1, whole=False):
                parts += [frame.raw for frame in frames]
        finally:
            await source.aclose()
        whole = b"".join(parts)
        if source.end is Ending.EOF:
            return Answered(head, whole)
        return Answered(head, FixedSource((Frame(whole),) if whole else (), source.end))
