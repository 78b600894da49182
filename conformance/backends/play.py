"""What a case can do: send requests, follow jobs, use the control program, report broken rules."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

import anyio
from anyio.abc import TaskGroup
from attrs import define, evolve, field

from conformance.backends.answer import Answer, is_text
from conformance.backends.blocks import Block
from conformance.backends.bounds import Amounts, Bounds
from conformance.backends.control import Control, ControlFailed
from conformance.backends.follower import Follower
from conformance.backends.ledger import Ledger
from conformance.backends.target import Target
from conformance.backends.wire import (
    COMPLETE,
    CUT,
    LEFT,
    NOT_HTTP,
    RESET,
    UNANSWERED,
    Unsendable,
    Wire,
    now,
)
from conformance.expect.mismatch import Divergence
from conformance.strict_data import Json
from conformance.trace.describe import COMMENT
from conformance.trace.events import Ended, Event, Fact, Framed, Noted, Requested, Responded, Trace
from conformance.verdict.result import Finding

if TYPE_CHECKING:
    from conformance.backends.supply import Seen, Supply

_A = TypeVar("_A")
NOTHING_MADE: Final = "--follow creates and cancels nothing"
_LONGEST_BODY: Final = 1 << 20
_SHOWN: Final = 200
_LIMITED: Final = (429, 503)
_MOST_WAIT: Final = 60
"""The longest time in seconds that the kit waits because of a Retry-After."""
_TRIES: Final = 3
_SAFE: Final = ("GET", "HEAD")
_ENDINGS: Final = {COMPLETE: "has ended", LEFT: "the kit closed the connection"}
OWN: Final = object()
"""The default of `token` arguments: use the target's own token."""


class NotReached(Exception):
    """The case could not test its rules; the message says why.

    `rule` is the broken rule that prevented the test, if there is one.
    """

    def __init__(self, why: str, rule: str = "") -> None:
        super().__init__(why)
        self.rule = rule


class Limited(NotReached):
    """The backend refused a request because of load, with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the backend refused the request because of load ({status})")
        self.status = status


class Stop(Exception):
    """Ends a case after a breach that `Play.stop` has recorded."""


@define(eq=False)
class Play:
    """One case while it is played: its trace, its findings, and the operations that it may use."""

    target: Target
    bounds: Bounds
    amounts: Amounts
    ledger: Ledger
    control: Control | None
    supply: "Supply"
    group: TaskGroup
    random: Random
    trace: Trace = field(factory=Trace)
    findings: list[Finding] = field(factory=list[Finding])
    quiet: bool = False
    """True while the trace leaves out requests that are repeated thousands of times."""
    notes: list[str] = field(factory=list[str])
    """Remarks for readers of the report."""
    _began: float = field(factory=now)
    _counts: dict[str, int] = field(factory=dict[str, int])
    _followers: list[Follower] = field(factory=list[Follower])
    _connections: int = 0

    # What happened

    def record(self, fact: Fact) -> Event:
        """Add a fact to the trace."""
        return self.trace.append(fact, now() - self._began)

    def note(self, text: str) -> None:
        """Add a remark of the kit to the trace."""
        self.record(Noted("kit", text))

    def broke(self, rule: str, expected: str, actual: str, event: Event | None = None) -> None:
        """Record that the backend broke a rule; the case continues."""
        number = rule if "-" in rule else f"ARK-SRV-{rule}"
        found = Divergence(expected, actual, event)
        last = self.trace.events[-1] if self.trace.events else None
        self.findings.append(Finding.of(number, (number,), found, last))

    def stop(self, rule: str, expected: str, actual: str, event: Event | None = None) -> NoReturn:
        """Record that the backend broke a rule, and end the case."""
        self.broke(rule, expected, actual, event)
        raise Stop

    def got(self, follower: Follower) -> str:
        """Describe what a follower received."""
        if not follower.status:
            return "no response to the stream request"
        if not follower.is_stream:
            kind = follower.header("content-type").partition(";")[0]
            return f"{follower.status} {kind}".strip()
        ids = list(follower.ids)
        shown = ", ".join(repr(each) for each in ids[-3:])
        count = f"{len(ids)} event{'s' if len(ids) > 1 else ''}"
        events = f"{count}, the last {shown}" if ids else "no event"
        return f"{events} (the stream {_state(follower)})"

    def at(self, follower: Follower, block: int = 0) -> Event | None:
        """Return the trace event of a block's arrival, or else the stream's last trace event."""
        own = [
            event
            for event in self.trace.events
            if isinstance(event.fact, Responded | Framed | Ended)
            and (event.fact.route, event.fact.attempt) == (follower.route, follower.attempt)
        ]
        found = [e for e in own if isinstance(e.fact, Framed) and e.fact.index == block]
        return next(iter(found or own[-1:]), None)

    def compare(self, ours: Follower, theirs: Follower, rule: str = "36") -> None:
        """Check that events received by both followers are identical."""
        known = {block.id: block for block in ours.frames if block.id is not None}
        for block in theirs.frames:
            other = known.get(block.id or "")
            if other is not None and _content(block) != _content(other):
                expected = f"event {block.id} as another follower received it: {other.data!r:.200}"
                self.stop(rule, expected, f"{block.data!r:.200}")

    def streams(self, follower: Follower) -> None:
        """Check that a request got a stream; otherwise raises NotReached with the broken rule."""
        if not follower.status:
            raise NotReached("the stream request got no response head", "ARK-SRV-20")
        if not follower.is_stream:
            raise NotReached(
                f"the response to the stream request was {follower.status}", "ARK-SRV-17"
            )

    async def seen(self) -> "Seen":
        """Return the job that every run follows; this case continues with its trace."""
        seen = await self.supply.seen()
        self.adopt(seen.play)
        return seen

    def adopt(self, other: "Play") -> None:
        """Continue with the trace of another play, because this case judges what happened there."""
        self.trace = other.trace

    async def at_once(self, *calls: Callable[[], Awaitable[_A]]) -> list[_A]:
        """Run several calls at the same time; return their results in order of completion."""
        found: list[_A] = []

        async def one(call: Callable[[], Awaitable[_A]]) -> None:
            found.append(await call())

        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(one, call)
        return found

    # Requests

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

        Waits as long as a 429 or 503 asks, up to three times; raises Limited if the backend still
        refuses.
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
        """Wait as long as a 429 or 503 asks; raises Limited if it was the last attempt."""
        known = wait.isascii() and wait.isdigit() and len(wait) <= len(str(_MOST_WAIT))
        if last or not known or int(wait) > _MOST_WAIT:
            raise Limited(status)
        self.note(f"waits for {wait} s, as Retry-After asks")
        await anyio.sleep(int(wait))

    def limited(self, answer: Answer) -> None:
        """Record in the supply that a request was refused because of load, for ARK-SRV-54."""
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
        """Open a connection; raises Unreachable."""
        self._connections += 1
        return await Wire.to(self.target, self.bounds.connect, receive_buffer=receive_buffer)

    async def rest(
        self, wire: Wire, route: str, number: int, come: bytearray | None = None
    ) -> Answer:
        """Read the rest of a body after `come`, the part already read; return the response."""
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
            ended="no response in time" if ended == LEFT and not wire.status else ended,
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
        """Add a request to the trace; return its number among the requests to its route."""
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

    # Streams

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

        Without `read`, the kit reads only the head, to act as a slow reader. Without `wait`, it
        returns immediately. Waits as long as a 429 or 503 asks, up to three times; raises Limited
        if the backend still refuses.
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

    # The control program

    def controls(self, *words: str) -> bool:
        """Return whether the kit may create jobs and the control program declares these commands."""
        return self.control is not None and self.control.has(*words) and not self.supply.followed

    async def make(self, do: str, **arguments: Json) -> Mapping[str, Json]:
        """Send a command to the control program; raises NotReached if that fails."""
        control = self.control
        if control is None or not control.has("hold" if do in {"held", "release"} else do):
            raise NotReached(f"needs a control program with the command `{do}`")
        shown = "".join(f" {name} {value}" for name, value in arguments.items() if name != "token")
        if not self.quiet:
            self.record(Noted("kit", f"to the control program: {do}{shown}"))
        try:
            return (await control.ask(do, arguments)).values
        except ControlFailed as error:
            if control.ended:
                raise
            raise NotReached(str(error)) from error

    async def quiet_job(self) -> str:
        """Return a new job that emits nothing on its own."""
        made: Json = None
        with anyio.CancelScope(shield=True):  # its id must be recorded, like that of a create
            made = (await self.make("job")).get("id")
        if not (isinstance(made, str) and made and is_text(made)):
            raise NotReached("the control program returned a job without an id")
        await self.ledger.made(made, self.target)
        return made

    async def emit(self, job: str, number: int, size: int = 0) -> list[str]:
        """Emit events of a job through the control program; return their ids."""
        arguments: dict[str, Json] = {"job": job, "n": number}
        if size:
            arguments["bytes"] = size
        ids = (await self.make("emit", **arguments)).get("ids")
        if isinstance(ids, str) or not isinstance(ids, Sequence):
            raise NotReached("the control program emitted events without returning their ids")
        return [each for each in ids if isinstance(each, str)]

    async def any_job(self) -> str:
        """Return a new job that emits nothing on its own, or the job that every run follows."""
        if self.controls("job"):
            return await self.quiet_job()
        return (await self.supply.seen()).job

    async def job_with_events(self) -> tuple[str, Sequence[str]]:
        """Return a new job with events, or the one that every run follows; and the event ids."""
        if self.controls("job", "emit"):
            return await self.running_job()
        seen = await self.supply.seen()
        return seen.job, seen.ids

    async def running_job(self, events: int = 3) -> tuple[str, list[str]]:
        """Return a new job with some events, and their ids."""
        job = await self.quiet_job()
        return job, await self.emit(job, events)

    async def ended_job(self, events: int = 4) -> tuple[str, list[str]]:
        """Return a new job that has completed, and the ids of its events."""
        job, ids = await self.running_job(events)
        last = (await self.make("finish", job=job)).get("id")
        return job, [*ids, *([last] if isinstance(last, str) else [])]

    async def rotate(self) -> None:
        """Restart the backend; its address may change."""
        moved = (await self.make("rotate")).get("base_url")
        if isinstance(moved, str):
            self.supply.moved(moved)
            self.target = self.supply.target

    async def create(
        self,
        *,
        key: str | None = None,
        body: object = None,
        expected: bool = True,
        token: object = OWN,
        org: str | None = None,
        project: str | None = None,
        kind: str = "application/json",
    ) -> Answer:
        """Submit a job and record every id in the response, so that the job can be cancelled.

        If the create is not `expected` to make a job, it does not count against the limit.
        """
        if expected:
            await self.ledger.spend()
        sent = self.target.body if body is None else body
        raw = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        more = {} if key is None else {"Idempotency-Key": key}
        path = self.target.jobs(org=org, project=project)
        answer = await self.ask("create", path, "POST", token=token, body=raw, kind=kind, more=more)
        if answer.made:
            where = evolve(
                self.target,
                token=token if isinstance(token, str) else self.target.token,
                org=org or self.target.org,
                project=project or self.target.project,
            )
            await self.ledger.made(answer.made, where)
        return answer

    async def look(self, job: str) -> Answer:
        """Request the job from the job route."""
        return await self.ask("job", self.target.job(job))

    async def status_within(self, job: str, wanted: Sequence[str], seconds: float) -> str:
        """Poll the job route until the job has a wanted status; return its last status."""
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


def _content(block: Block) -> Json:
    """Return an event's parsed JSON, or its text if it is not JSON."""
    return block.data if block.value is None else block.value


def _state(follower: Follower) -> str:
    """Return how a stream ended, or "is still open", as the predicate of a message."""
    if not follower.ended:
        return "is still open"
    return _ENDINGS.get(follower.ended, f"ended: {follower.ended}")


def _kind(block: Block) -> str | None:
    if block.is_comment:
        return COMMENT
    return block.type or block.event
