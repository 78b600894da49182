"""Send a case's requests, read the responses and streams, and record everything in the trace."""

import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Final

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from conformance.backends.account import Account, NotReached
from conformance.backends.answer import Answer
from conformance.backends.blocks import Block
from conformance.backends.bounds import Bounds
from conformance.backends.follower import Follower
from conformance.backends.supply import Supply
from conformance.backends.target import Target
from conformance.backends.wire import (
    CUT,
    LEFT,
    NOT_HTTP,
    NOT_IN_TIME,
    RESET,
    UNANSWERED,
    Unsendable,
    Wire,
    now,
)
from conformance.strict_data import Json
from conformance.trace.describe import COMMENT
from conformance.trace.events import Ended, Framed, Requested, Responded

NOTHING_MADE: Final = "with --follow, the kit does not create or cancel jobs"
_LONGEST_BODY: Final = 1 << 20
_SHOWN: Final = 200
_LIMITED: Final = (429, 503)
_MOST_WAIT: Final = 60
"""The longest Retry-After that the kit obeys, in seconds."""
_TRIES: Final = 3
_SAFE: Final = ("GET", "HEAD")
OWN: Final = object()
"""The default for `token` arguments: use the target's own token."""


class Limited(NotReached):
    """The backend refused a request because of load; `status` is 429 or 503."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the backend refused the request because of load ({status})")
        self.status = status


@define(eq=False, kw_only=True)
class Exchanges(Account):
    """The requests that a case sends to the backend, and the responses that it receives."""

    target: Target
    bounds: Bounds
    supply: Supply
    group: TaskGroup
    _counts: dict[str, int] = field(factory=dict[str, int])
    _followers: list[Follower] = field(factory=list[Follower])
    _connections: int = 0

    def headers(
        self, token: object = OWN, more: Mapping[str, str] | None = None
    ) -> list[tuple[str, str]]:
        """Return the headers of a request; without Authorization if `token` is None."""
        sent = self.target.token if token is OWN else token
        found = self.target.headers(None if sent is None else str(sent))
        return [*found, *(more or {}).items()]

    async def ask(
        self,
        route: str,
        target: str,
        method: str = "GET",
        *,
        token: object = OWN,
        body: bytes | Mapping[str, Json] | None = None,
        kind: str = "application/json",
        on: Wire | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read the whole response.

        After a 429 or 503, wait as long as its Retry-After says and try again, up to three times;
        raise Limited if the backend still refuses, or if the Retry-After is missing or too long.
        """
        tries = count(1)
        while True:
            answer = await self._once(route, target, method, token, body, kind, on, more or {})
            if answer.status not in _LIMITED or on is not None:
                return answer
            self.limited(answer)
            wait = answer.header("retry-after")
            await self._obey(answer.status, wait, last=next(tries) > _TRIES)

    async def _obey(self, status: int, wait: str, *, last: bool) -> None:
        """Wait as long as Retry-After says.

        Raise Limited after the last attempt, or if Retry-After is missing, too long or a date.
        """
        known = wait.isascii() and wait.isdigit() and len(wait) <= len(str(_MOST_WAIT))
        if last or not known or int(wait) > _MOST_WAIT:
            raise Limited(status)
        self.note(f"waits for {wait} s, as Retry-After asks")
        await anyio.sleep(int(wait))

    def limited(self, answer: Answer) -> None:
        """Record in `supply` a response that refuses a request because of load (ARK-SRV-54)."""
        self.supply.limits.append(answer)

    async def _once(  # noqa: PLR0917 - see ask
        self,
        route: str,
        target: str,
        method: str,
        token: object,
        body: bytes | Mapping[str, Json] | None,
        kind: str,
        on: Wire | None,
        more: Mapping[str, str],
    ) -> Answer:
        if self.supply.followed and method not in _SAFE:
            raise NotReached(NOTHING_MADE)
        raw = json.dumps(body).encode() if isinstance(body, Mapping) else body
        headers = self.headers(token, more)
        if raw is not None:
            headers += [("Content-Type", kind), ("Content-Length", str(len(raw)))]
        elif method == "POST":
            headers.append(("Content-Length", "0"))
        wire = on or await self.connect()
        number = self.sent(route, method, target, headers, raw or b"")
        come = bytearray()
        # The id of a created job must be recorded even if the run is interrupted.
        with anyio.move_on_after(self.bounds.answer, shield=route == "create"):
            await wire.send(method, target, headers, raw or b"")
            await wire.head()
            answer = await self.rest(wire, route, number, come)
            if on is None:
                await wire.close()
            return answer
        await wire.close()
        return await self.rest(wire, route, number, come)

    async def connect(self, *, receive_buffer: int = 0) -> Wire:
        """Open a connection; raise Unreachable if that fails."""
        self._connections += 1
        return await Wire.to(self.target, self.bounds.connect, receive_buffer=receive_buffer)

    async def rest(
        self, wire: Wire, route: str, number: int, come: bytearray | None = None
    ) -> Answer:
        """Read the rest of a body, of which `come` has already been read; return the response."""
        body = bytearray() if come is None else come
        if wire.status and not body:
            self.record(Responded(route, number, wire.status))
        while len(body) < _LONGEST_BODY and (piece := await wire.body()):
            body += piece
        ended = wire.ended
        if ended in {CUT, NOT_HTTP, RESET, UNANSWERED}:
            self.record(Ended(route, number, f"{ended} {wire.problem}".strip(), "server"))
        return Answer(
            route=route,
            status=wire.status,
            headers=wire.headers,
            body=bytes(body),
            ended=NOT_IN_TIME if ended == LEFT and not wire.status else ended,
            problem=wire.problem,
            event=self.trace.events[-1],
        )

    def sent(
        self,
        route: str,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: bytes,
    ) -> int:
        """Add a request to the trace; return its number, counting the requests of each route."""
        number = self._counts[route] = self._counts.get(route, 0) + 1
        if self.quiet:
            return number
        self.record(
            Requested(
                route,
                number,
                method,
                target,
                tuple((name.lower(), value) for name, value in headers),
                body.decode("utf-8", "replace"),
                self._connections,
            )
        )
        return number

    async def look(self, job: str) -> Answer:
        """Fetch a job from the job route."""
        return await self.ask("job", self.target.job(job))

    async def status_within(self, job: str, wanted: Sequence[str], seconds: float) -> str:
        """Poll a job until its status is in `wanted` or time is up; return the last status."""
        until, wait, found = now() + seconds, 0.02, ""
        while True:
            answer = await self.look(job)
            found = str(answer.job.get("status", answer.told))
            if found in wanted or now() >= until:
                return found
            await anyio.sleep(min(wait, max(0.0, until - now())))
            wait = min(wait * 2, 1.0)

    async def cancel(self, job: str) -> Answer:
        """Send a cancel request for a job."""
        return await self.ask("cancel", self.target.job(job, "/cancel"), "POST")

    async def follow(
        self,
        job: str,
        cursor: str | None = None,
        *,
        token: object = OWN,
        org: str | None = None,
        project: str | None = None,
        head: float | None = None,
        receive_buffer: int = 0,
        read: bool = True,
        wait: bool = True,
    ) -> Follower:
        """Open the stream of a job; return when its head has arrived or the time is up.

        If `read` is false, read only the head, to act as a slow reader. If `wait` is false, return
        immediately. Otherwise, after a 429 or 503, wait as long as its Retry-After says and try
        again, up to three times; raise Limited if the backend still refuses, or if the Retry-After
        is missing or too long.
        """
        tries = count(1)
        while True:
            follower = await self._open(job, cursor, token, org, project, receive_buffer)
            if not read:
                with anyio.move_on_after(self.bounds.head):
                    await follower.read_head()
                return follower
            self.group.start_soon(follower.read)
            if not wait:
                return follower
            await follower.until_head(self.bounds.answer if head is None else head)
            if follower.status not in _LIMITED:
                return follower
            await follower.until_end(self.bounds.answer)
            told = follower.header("retry-after")
            await self._obey(follower.status, told, last=next(tries) > _TRIES)

    async def _open(  # noqa: PLR0917 - see follow
        self,
        job: str,
        cursor: str | None,
        token: object,
        org: str | None,
        project: str | None,
        receive_buffer: int,
    ) -> Follower:
        more = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        headers = self.headers(token, more)
        if cursor is not None:
            headers.append(("Last-Event-ID", cursor.encode().decode("latin-1")))
        target = self.target.job(job, "/events/stream", org=org, project=project)
        await self.supply.pace()
        wire = await self.connect(receive_buffer=receive_buffer)
        number = self.sent("stream", "GET", target, headers, b"")
        try:
            with anyio.move_on_after(self.bounds.connect):
                await wire.send("GET", target, headers)
        except Unsendable as error:
            await wire.close()
            raise NotReached(f"cannot resume from {cursor!r}: {error}", "ARK-SRV-27") from error
        follower = Follower(
            "stream", number, job, cursor, wire, self._framed, self._headed, self._over
        )
        self._followers.append(follower)
        return follower

    def _framed(self, follower: Follower, block: Block, index: int) -> None:
        if self.quiet:
            return
        before = follower.blocks[-2] if index > 1 else None
        if block.is_comment and before is not None and before.is_comment:
            return  # of consecutive keep-alives, the trace shows only the first
        self.record(
            Framed(
                follower.route, follower.attempt, index, block.id, _kind(block), block.raw[:_SHOWN]
            )
        )

    def _headed(self, follower: Follower) -> None:
        if not self.quiet:
            self.record(Responded(follower.route, follower.attempt, follower.status))

    def _over(self, follower: Follower) -> None:
        if self.quiet:
            return
        by = "client" if follower.ended == LEFT else "server"
        problem = "" if follower.ended in {CUT, RESET} else follower.problem
        how = f"{follower.ended} {problem}".strip()
        self.record(Ended(follower.route, follower.attempt, how, by))
        if follower.status in _LIMITED:
            self.limited(
                Answer(
                    route="stream",
                    status=follower.status,
                    headers=follower.headers,
                    body=bytes(follower.body),
                    ended=follower.ended,
                )
            )

    async def leave(self) -> None:
        """Close every stream that this case opened."""
        for follower in self._followers:
            await follower.leave()


def _kind(block: Block) -> str | None:
    if block.is_comment:
        return COMMENT
    return block.type or block.event
