"""Answer one request: carry out the actions of its plan on the connection."""

import math
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Final

import anyio
from attrs import define, evolve, field, frozen

from mock_server.faults.actions import Action, AwaitGate, End, Pause, Write
from mock_server.faults.head import HeadPlan, compressed, head_plan
from mock_server.faults.plan import ExchangePlan
from mock_server.faults.request import loss_of
from mock_server.faults.response import BODILESS, BodyKind, Head, phrase_of, replaced
from mock_server.net.body import BROKEN, Body, announced
from mock_server.net.failure import Failure
from mock_server.net.origin import BATCH, Answered, FixedSource, Source, refused_as_compressed
from mock_server.net.reading import Arrived
from mock_server.net.service import Service
from mock_server.net.wire import Wire
from mock_server.requests import Request
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.request import Lost
from mock_server.sse import Frame

_STREAM_TYPE: Final = ("Content-Type", "text/event-stream")
_GARBAGE: Final = b"\x00\xffgarbage\xfe\r\n"
_KEEP_ALIVE: Final = b": keep-alive\n\n"
_LAST_WORDS: Final = {
    Ending.BAD_CHUNK: b"zz\r\nno chunk\r\n",
    Ending.SHORT_CHUNK: b"40\r\n: short",
}


class OriginFailed(Exception):
    """The origin raised an OSError; the client is still connected."""


class _ClientGone(Exception):
    """The client left while the origin was answering; the origin did not fail."""


class ClientFinished(OSError):
    """The client has closed at least its sending half, and the server has nothing to send now."""


@frozen
class Ended:
    """How the server ended an exchange, and whether the connection can carry another one."""

    how: Ending
    reusable: bool


@define(eq=False)
class ExchangeOnWire:
    """One exchange on one connection; call `run` once."""

    _service: Service
    _wire: Wire
    _arrived: Arrived
    _body: Body = field(init=False)
    """The body of the response; until the head is known, the body's promise is `BROKEN`."""
    hanging: bool = field(default=False, init=False)
    """Whether the server sends nothing more and waits for the client to leave."""
    _early_heads: list[Head] = field(factory=list[Head], init=False)
    """The origin's informational heads, held back until the rules are applied to its response."""
    begun: bool = field(default=False, init=False)
    """Whether the server has begun to send the response."""
    half_closed: bool = field(default=False, init=False)
    """Whether the client has sent its FIN; set by the connection, which watches the client."""
    _keep_alive: float = field(default=math.inf, init=False)
    """How many seconds the stream may be silent before a comment is sent."""
    idle: bool = field(default=False, init=False)
    """Whether the server has nothing to send and awaits a frame, a gate or the end of a pause."""

    def __attrs_post_init__(self) -> None:
        self._body = Body(self._wire, BROKEN)

    @property
    def _plan(self) -> ExchangePlan:
        return self._arrived.plan

    @property
    def request(self) -> Request:
        """The request that is being answered."""
        return self._arrived.request

    @property
    def written(self) -> int:
        """How many bytes of the body were sent, not counting chunk framing."""
        return self._body.written

    async def run(self) -> Ended:
        """Answer the request; raise OSError if the client leaves early."""
        loss = loss_of(self._plan.rules)
        if loss is not None and loss[0] is Lost.REQUEST:
            return await self._end(loss[1])
        plan = self._head_plan()
        answered = await self._answer(plan)
        try:
            if loss is not None:
                return await self._end(loss[1])
            if delay := self._plan.head_delay():
                await self._pause(delay)
            return await self._respond(self._head_plan() if answered.failed else plan, answered)
        finally:
            if not isinstance(answered.body, bytes):
                with anyio.CancelScope(shield=True):
                    await answered.body.aclose()

    def _head_plan(self) -> HeadPlan:
        return head_plan(self._plan.rules, self._arrived.request.route)

    async def _answer(self, plan: HeadPlan) -> Answered:
        """Return the response, from the origin or from the rules; the rules may change its head."""
        if plan.asks_origin:
            answered = await self._ask(plan)
            if answered.failed:
                # Rules that change this response would hide from the client what went wrong.
                untouched = ExchangePlan(self._plan.about, [])
                self._arrived = evolve(self._arrived, plan=untouched)
                return answered
        else:
            status, fields = plan.status or 200, (_STREAM_TYPE,) if plan.frames is not None else ()
            body = (plan.body or b"") if plan.frames is None else FixedSource(plan.frames)
            answered = Answered(Head(status, phrase_of(status), fields), body)
        head = answered.head
        status = plan.status or head.status
        reason = plan.reason or (head.reason if status == head.status else phrase_of(status))
        headers = replaced(head.headers, plan.headers, plan.without)
        return evolve(answered, head=Head(status, reason, headers))

    async def _ask(self, plan: HeadPlan) -> Answered:
        """Get the origin's response; refuse a compressed stream if a rule needs to see its frames."""
        request = self._arrived.request
        request = request.uncompressed() if self._plan.rules else request
        try:
            answered = await self._service.origin.answer(request, plan, self)
        except _ClientGone as gone:
            raise ConnectionResetError from gone
        except OSError as error:
            raise OriginFailed from error
        about = BodyKind.of(answered.head.headers)
        if not (about.stream and about.coding and self._plan.looks_into_frames):
            return answered
        why = (
            f"the stream is compressed ({about.coding}), so the rules cannot see its frames; "
            "turn off compression at the upstream, or remove the rules about frames"
        )
        return await refused_as_compressed(answered, why, self)

    async def early(self, head: Head) -> None:
        """Forward an informational head; if there are rules, hold it back until they are applied."""
        if not self._arrived.chunks_allowed:
            return  # HTTP/1.0 has no informational heads (RFC 9110, 15.2)
        if self._plan.rules:
            self._early_heads.append(head)
            return
        try:
            await self._wire.send(head.render())
        except OSError as error:
            raise _ClientGone from error

    def failed(self, failure: Failure) -> None:
        """Record that the upstream failed."""
        self._arrived.notes.failed(failure)

    async def _respond(self, plan: HeadPlan, answered: Answered) -> Ended:
        head, body = answered.head, answered.body
        coded = compressed(head, plan, self._arrived.request.headers)
        head = coded or head
        length = len(body) if isinstance(body, bytes) else None
        rendered, promise = announced(head, plan, self._arrived, length)
        self._body = Body(self._wire, promise)
        nothing = promise.bodiless or head.status in BODILESS
        if coded is not None:
            self._body.compress()
        elif isinstance(body, bytes) and self._is_plain(plan):
            # Head and body in one piece, as for every response without a fault.
            body = b"" if nothing else body
            self._begin_outage()
            await self._send_head(rendered + body, head)
            return self._done(Ending.EOF, reusable=promise.kept(len(body)))
        await self._send_head(self._informational(plan) + rendered, head)
        if nothing:
            body = b""
        if isinstance(body, bytes):
            body = FixedSource((Frame(body),) if body else ())
        kind = head.header("content-type") or ""
        self._keep_alive = answered.keep_alive
        first = b"" if nothing else answered.first
        return await self._stream(body, first, live=kind.startswith(_STREAM_TYPE[1]))

    def _is_plain(self, plan: HeadPlan) -> bool:
        informational = plan.early or self._early_heads
        known = self._body.promise.framing is None
        return self._plan.plain and known and not informational and plan.raw is None

    async def _send_head(self, data: bytes, head: Head) -> None:
        self.begun = True
        await self._wire.send(data)
        self._arrived.notes.answered(head)

    def _informational(self, plan: HeadPlan) -> bytes:
        if not self._arrived.chunks_allowed:
            return b""  # HTTP/1.0 has no informational heads (RFC 9110, 15.2)
        heads = (*self._early_heads, *(Head(code, phrase_of(code), ()) for code in plan.early))
        return b"".join(head.render() for head in heads)

    async def _stream(self, source: Source, first: bytes, *, live: bool) -> Ended:
        plan = self._plan
        if ended := await self._carry_out(plan.start()):
            return ended
        if first:
            await self._carry_out(plan.comment(first))
        limit = BATCH if plan.steady else 1
        while frames := await self._next(source, limit, live=live):
            if plan.transparent and not any(each.delay or each.gate for each in frames):
                await self._write([frame.raw for frame in frames], frames)
            elif ended := await self._act_on(frames):
                return ended
        ended = await self._carry_out(plan.finish(source.end))
        if ended is None:
            raise RuntimeError("the plan does not say how the stream ends")
        return ended

    async def _next(self, source: Source, limit: int, *, live: bool) -> Sequence[Frame]:
        """Wait for frames; for a live stream, only until the client has closed its sending half."""
        whole = not self._plan.transparent
        try:
            if not live:
                return await source.next(limit, whole=whole)
            if not self.half_closed and self._keep_alive < math.inf:
                return await self._next_of_silent(source, limit, whole=whole)
            if not self.half_closed:
                with self._waiting():
                    return await source.next(limit, whole=whole)
            with anyio.move_on_after(0):
                return await source.next(limit, whole=whole)
        except ClientFinished:
            raise
        except OSError as error:
            raise OriginFailed from error
        raise ClientFinished

    async def _next_of_silent(self, source: Source, limit: int, *, whole: bool) -> Sequence[Frame]:
        """Wait for frames; send a comment whenever none has arrived for `_keep_alive` seconds."""
        while True:
            with self._waiting(), anyio.move_on_after(self._keep_alive):
                return await source.next(limit, whole=whole)
            await self._carry_out(self._plan.comment(_KEEP_ALIVE))

    @contextmanager
    def _waiting(self) -> Generator[None, None, None]:
        """Mark the exchange as idle; a client that closes its sending half now counts as gone."""
        if self.half_closed:
            raise ClientFinished
        self.idle = True
        try:
            yield
        finally:
            self.idle = False

    async def _act_on(self, frames: Sequence[Frame]) -> Ended | None:
        """Apply the rules to frames. If a steady plan only writes, send all frames in one piece."""
        plan = self._plan
        if not plan.steady:
            for frame in frames:
                if ended := await self._carry_out(plan.frame(frame)):
                    return ended
            return None
        ops = [op for frame in frames for op in plan.frame(frame)]
        writes = [op for op in ops if isinstance(op, Write)]
        if len(writes) < len(ops):
            return await self._carry_out(ops)
        written = [frame for write in writes for frame in write.frames]
        await self._write([write.data for write in writes], written)
        return None

    async def _carry_out(self, ops: list[Action]) -> Ended | None:
        for op in ops:
            match op:
                case Write(data=data, frames=frames):
                    await self._write((data,), frames)
                case Pause(seconds=seconds):
                    await self._pause(seconds)
                case AwaitGate(gate=gate):
                    await self._wait_at(gate)
                case End():
                    return await self._end(op)
        return None

    async def _pause(self, seconds: float) -> None:
        with self._waiting():
            await anyio.sleep(min(seconds, self._service.limits.stall_time))

    async def _wait_at(self, gate: str) -> None:
        if not self._service.gates.is_open(gate):
            with self._waiting(), anyio.move_on_after(self._service.limits.stall_time):
                await self._service.gates.wait(gate)

    async def _write(self, pieces: Sequence[bytes], frames: Iterable[Frame]) -> None:
        """Send these pieces of the body together, then record the frames that they complete."""
        await self._body.send(pieces)
        for frame in frames:
            self._arrived.notes.frame(frame)

    def _begin_outage(self) -> None:
        """Begin the outage, if any, before the last bytes, so that no client reconnects before it."""
        if outage := self._plan.outage:
            self._service.outage(*outage)

    async def _end(self, end: End) -> Ended:
        wire = self._wire
        self._begin_outage()
        match end.how:
            case Ending.EOF:
                return self._done(Ending.EOF, reusable=await self._body.finish(end.extra))
            case Ending.HANG:
                return await self._hang()
            case Ending.RST:
                await wire.drain()
                wire.reset()
                return self._done(Ending.RST, reusable=False)
            case Ending.HALF_CLOSE:
                pass
            case Ending.GARBAGE:
                await wire.send_beneath(_GARBAGE)
            case Ending.TLS_ALERT:
                await wire.alert()
            case Ending.FIN | Ending.BAD_CHUNK | Ending.SHORT_CHUNK:
                if last := _LAST_WORDS.get(end.how, b"") + end.extra:
                    await wire.send(last)
        wire.half_close()
        return self._done(end.how, reusable=False)

    async def _hang(self) -> Ended:
        """Send nothing more; if the client leaves, the connection cancels this call."""
        self.hanging = True
        with self._waiting():
            await anyio.sleep(self._service.limits.stall_time)
        self._wire.half_close()
        return self._done(Ending.HANG, reusable=False)

    def _done(self, how: Ending, *, reusable: bool) -> Ended:
        self._arrived.notes.ended(how.value, "server")
        return Ended(how, reusable)
