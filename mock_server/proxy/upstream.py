"""Send requests to a real backend over HTTP/1.1, one per connection, and explain failures."""

import ssl
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

import anyio
import h11
from anyio.abc import ByteStream
from anyio.streams.tls import TLSStream
from attrs import define, field, frozen

from mock_server.faults.response import Head, end_to_end
from mock_server.net.failure import Failure, Reason, failure_of
from mock_server.requests import Request
from mock_server.strict.shapes import ScenarioError

_BLOCK: Final = 65_536
_HEAD_LIMIT: Final = 1 << 20
_MOST_EARLY_HEADS: Final = 100
_VERSION: Final = b"HTTP/"
# The proxy writes these itself, because it has its own connection and the whole body.
_WRITTEN_HERE: Final = frozenset({"host", "expect", "content-length"})


class Failed(Exception):
    """The upstream sent no response."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.why)
        self.failure = failure


@frozen
class Upstream:
    """The real backend's address; without `verify`, the system's CA certificates are trusted."""

    parts: SplitResult
    verify: ssl.SSLContext | None = None

    @classmethod
    def at(cls, url: str, verify: ssl.SSLContext | None = None) -> "Upstream":
        """Parse a URL; raise ScenarioError if it cannot be the URL of an upstream."""
        try:
            parts = urlsplit(url)
            right = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
            right = right and url.isprintable() and " " not in url
            right = right and "@" not in parts.netloc and not parts.netloc.endswith(":")
        except ValueError:
            parts, right = SplitResult("", "", "", "", ""), False
        if not right or parts.query or parts.fragment:
            # A URL may contain a password, so it is not quoted.
            raise ScenarioError(
                "upstream: must be an http:// or https:// URL without a user, query or fragment, "
                "such as https://api.example.com"
            )
        return cls(parts, verify)

    @property
    def authority(self) -> str:
        """The host and the port as they appear in a Host header, in ASCII."""
        netloc = self.parts.netloc
        if netloc.isascii():
            return netloc
        host, colon, port = netloc.partition(":")
        return host.encode("idna").decode() + colon + port

    @property
    def is_secure(self) -> bool:
        """Whether the upstream uses TLS."""
        return self.parts.scheme == "https"

    async def connect(self) -> ByteStream:
        """Open a connection; raise Failed if that is not possible."""
        host = self.parts.hostname or ""
        try:
            host = host if host.isascii() else host.encode("idna").decode()
            plain = await anyio.connect_tcp(
                host, self.parts.port or (443 if self.is_secure else 80)
            )
        except (OSError, UnicodeError) as error:
            raise Failed(failure_of(error)) from error
        return await self._secured(plain, host) if self.is_secure else plain

    async def _secured(self, plain: ByteStream, host: str) -> ByteStream:
        context = self.verify or ssl.create_default_context()
        name = host.rstrip(".")  # RFC 6066, 3
        try:
            return await TLSStream.wrap(
                plain, hostname=name, ssl_context=context, standard_compatible=False
            )
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            await anyio.aclose_forcefully(plain)
            failure = failure_of(error)
            if failure.reason is not Reason.TLS:
                failure = Failure(Reason.TLS, f"{failure.why} during the TLS handshake")
            raise Failed(failure) from error
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(plain)
            raise


def _fresh() -> h11.Connection:
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_LIMIT)


@define(eq=False)
class UpstreamExchange:
    """One request to the upstream, on its own connection."""

    _stream: ByteStream
    _http: h11.Connection = field(factory=_fresh, init=False)
    _first: bytes = field(default=b"", init=False)
    _ended: bool = field(default=False, init=False)

    async def ask(
        self, request: Request, upstream: Upstream, early: Callable[[Head], Awaitable[None]]
    ) -> h11.Response:
        """Send the request and return the head of the final response.

        Call `early` with every informational head except a 100; raise Failed if there is no
        response.
        """
        await self._send(_rendered(self._http, request, upstream))
        for _ in range(_MOST_EARLY_HEADS + 1):
            event = await self._next_head()
            if isinstance(event, h11.Response):
                return event
            # The upstream already has the whole request, so a 100 is dropped (RFC 9110, 10.1.1).
            if event.status_code != 100:  # noqa: PLR2004 - Continue
                await early(head_of(event))
        raise Failed(
            Failure(
                Reason.MALFORMED,
                f"the upstream sent {_MOST_EARLY_HEADS + 1} informational heads but no response",
            )
        )

    async def _next_head(self) -> h11.Response | h11.InformationalResponse:
        try:
            event = await self.event()
            if not isinstance(event, h11.Response | h11.InformationalResponse):
                raise h11.RemoteProtocolError("the connection was closed before the response")
        except (OSError, h11.ProtocolError) as error:
            raise Failed(self.failure(error)) from error
        return event

    def failure(self, error: Exception) -> Failure:
        """Return the failure that explains an error during this exchange."""
        looks_like_http = _VERSION.startswith(self._first) or self._first == _VERSION
        if isinstance(error, h11.ProtocolError) and self._ended and looks_like_http:
            return failure_of(anyio.EndOfStream())
        return failure_of(error)

    async def _send(self, data: bytes) -> None:
        """Send the request; if the connection closes meanwhile, read what was received."""
        try:
            await self._stream.send(data)
        except (OSError, anyio.BrokenResourceError) as error:
            try:
                self._http.receive_data(await self._receive())
            except OSError:
                raise Failed(failure_of(error)) from error

    async def event(self) -> h11.Event:
        """Return the next event of the response; may raise h11.RemoteProtocolError or OSError."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._receive())
            elif isinstance(event, type):
                raise h11.RemoteProtocolError(
                    "the upstream sent more data after the end of its response"
                )
            else:
                return event

    async def _receive(self) -> bytes:
        try:
            data = await self._stream.receive(_BLOCK)
        except anyio.EndOfStream:
            self._ended = True
            return b""
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise ConnectionResetError from error
        self._first = (self._first + data[: len(_VERSION)])[: len(_VERSION)]
        return data

    async def aclose(self) -> None:
        """Close the connection immediately."""
        await anyio.aclose_forcefully(self._stream)


def head_of(event: h11.Response | h11.InformationalResponse) -> Head:
    """Return the head of a response without its hop-by-hop fields."""
    return Head(event.status_code, event.reason.decode("latin-1"), end_to_end(pairs_of(event)))


def pairs_of(event: h11.Response | h11.InformationalResponse) -> list[tuple[str, str]]:
    """Return every header field exactly as it was sent, in order."""
    return [(k.decode("latin-1"), v.decode("latin-1")) for k, v in event.headers.raw_items()]


def _rendered(http: h11.Connection, request: Request, upstream: Upstream) -> bytes:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in end_to_end(request.headers)
        if name not in _WRITTEN_HERE
    ]
    headers = [(b"Host", upstream.authority.encode()), *headers]
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        headers.append((b"Content-Length", str(len(request.body)).encode()))
    # `OPTIONS *` is about the server, not about a path (RFC 9112, 3.2.4).
    prefix = "" if request.target == "*" else upstream.parts.path.rstrip("/")
    target = (prefix + request.target).encode("latin-1")
    out = http.send(h11.Request(method=request.method, target=target, headers=headers)) or b""
    if request.body:
        out += http.send(h11.Data(request.body)) or b""
    return out + (http.send(h11.EndOfMessage()) or b"")
