"""The native reverse proxy: forward requests to a real backend.

Without rules, the upstream's responses are forwarded unchanged, and its failures are reported with
the reason. Rules act on the upstream's streams as they do on the mock's own.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

import anyio
import h11
from attrs import define, field

from mock_server.backend.answers import refuse
from mock_server.faults.head import HeadPlan
from mock_server.faults.response import BodyKind
from mock_server.net.failure import Failure, Reason
from mock_server.net.origin import (
    Answered,
    Reports,
    answered_by_upstream,
    answered_with,
    answered_with_failure,
)
from mock_server.proxy.upstream import Failed, Upstream, UpstreamExchange, head_of, pairs_of
from mock_server.requests import NO_TUNNELS, Request
from mock_server.scenario.vocabulary import Capability
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame, Framer

__all__ = ["PROXY_CAPABILITIES", "ProxyOrigin", "Upstream"]

PROXY_CAPABILITIES: Final = frozenset(Capability) - {Capability.BACKEND}
CONNECT_TIME: Final = 10.0
"""The time limit, in seconds, for connecting to the upstream, including the TLS handshake."""
ANSWER_TIME: Final = 300.0
"""The time limit, in seconds, for sending a request and receiving the head of its response."""


@define(eq=False)
class UpstreamSource:
    """The body of a response: the frames of an uncompressed event stream, or else raw bytes."""

    _exchange: UpstreamExchange
    _framed: bool
    _reports: Reports
    end: Ending = field(default=Ending.EOF, init=False)
    _framer: Framer = field(factory=Framer, init=False)
    _over: bool = field(default=False, init=False)

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Return the frames or bytes of one read; `limit` is ignored, as no read is too large."""
        del limit
        while not self._over:
            data = await self._data()
            if data is None:
                self._over = True
                return self._framer.close()
            frames = self._framer.feed(data) if self._framed else [Frame(data)]
            if not whole and (part := self._framer.part()) is not None:
                frames.append(part)
            if frames:
                return frames
        return []

    async def _data(self) -> bytes | None:
        try:
            event = await self._exchange.event()
        except h11.RemoteProtocolError as error:
            self.end = Ending.FIN
            self._reports.failed(self._exchange.failure(error))
            return None
        except OSError as error:
            self.end = Ending.RST
            self._reports.failed(self._exchange.failure(error))
            return None
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def aclose(self) -> None:
        """Close the connection to the upstream."""
        await self._exchange.aclose()


@define(eq=False)
class ProxyOrigin:
    """A real backend as the origin."""

    upstream: Upstream
    connect_time: float = CONNECT_TIME
    answer_time: float = ANSWER_TIME

    async def answer(self, request: Request, plan: HeadPlan, reports: Reports) -> Answered:
        """Send the request to the upstream; if that fails, return a 502 or 504."""
        del plan
        if request.method == "CONNECT":
            return answered_with(refuse(501, NO_TUNNELS))
        try:
            exchange, response = await self._ask(request, reports)
        except Failed as failed:
            reports.failed(failed.failure)
            return answered_with_failure(failed.failure, self.upstream.authority)
        pairs = pairs_of(response)
        source = UpstreamSource(exchange, BodyKind.of(pairs).framed, reports)
        return await answered_by_upstream(request, head_of(response), pairs, source)

    async def _ask(
        self, request: Request, reports: Reports
    ) -> tuple[UpstreamExchange, h11.Response]:
        with _in_time(self.connect_time, "connection"):
            exchange = UpstreamExchange(await self.upstream.connect())
        try:
            with _in_time(self.answer_time, "response"):
                return exchange, await exchange.ask(request, self.upstream, reports.early)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await exchange.aclose()
            raise


@contextmanager
def _in_time(seconds: float, what: str) -> Generator[None, None, None]:
    """Limit how long the upstream may take; raise Failed after `seconds`."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        why = f"no {what} within {seconds:g} s"
        raise Failed(Failure(Reason.TIMEOUT, why)) from None
