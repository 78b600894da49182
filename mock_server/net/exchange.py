"""Answer one request: carry out the actions of its plan on the connection."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

import anyio
from attrs import define, evolve, field, frozen

from mock_server.faults.actions import (
    Action,
    AwaitGate,
    End,
    Pause,
    Write,
)
from mock_server.faults.head import HeadPlan, compressed, head_plan
from mock_server.faults.plan import ExchangePlan
from mock_server.faults.request import loss_of
from mock_server.faults.response import BODILESS, BodyKind, Head, phrase_of, replaced
from mock_server.journal.records import (
    ExchangeEnded,
    FrameSent,
    ResponseStarted,
    UpstreamFailed,
)
from mock_server.net.failure import Failure
from mock_server.net.gzipping import Gzipping
from mock_server.net.promise import Promise, Terms, announced
from mock_server.net.service import (
    BATCH,
    Answered,
    FixedSource,
    Service,
    Source,
    refused_as_compressed,
)
from mock_server.net.wire import AnyWire
from mock_server.requests import Request
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.head import Framing
from mock_server.scenario.words.request import Lost
from mock_server.sse import Frame

_CHUNK_ENDINGS: Final = frozenset({Ending.BAD_CHUNK, Ending.SHORT_CHUNK, Ending.GARBAGE})
_STREAM_TYPE: Final = ("Content-Type", "text/event-stream")
_GARBAGE: Final = b"\x00\xffgarbage\xfe\r\n"
_LAST_WORDS: Final = {
    Ending.BAD_CHUNK: b"zz\r\nno chunk\r\n",
    Ending.SHORT_CHUNK: b"40\r\n: short",
}


class OriginFailed(Exception):
    """The origin raised an OSError; the client has not left."""


class _ClientGone(Exception):
    """The client left while the origin was answering; the origin did not fail."""


class ClientFinished(OSError):
    """The client has closed, at least its sending half, and there is nothing to send now."""


@frozen
class Ended:
    """How the server ended an exchange; `reusable` if the connection can carry another."""

    how: str
    reusable: bool


@define(eq=False)
class ExchangeOnWire:
    """One exchange on one connection; `run` it once."""

    _service: Service
    _wire: AnyWire
    _request: Request
    _plan: ExchangePlan
    _connection: int
    _keep_alive: bool
    _chunks_allowed: bool
    _promise: Promise = field(init=False)
    _gzip: Gzipping | None = field(default=None, init=False)
    """What compresses the body, if a rule says so."""
    written: int = field(default=0, init=False)
    """How many bytes of the body were sent, without chunk framing."""
    _sent: int = field(default=0, init=False)
    _begun: bytearray = field(factory=bytearray, init=False)
    """The parts of a frame that were sent before the rest of it came."""
    hanging: bool = field(default=False, init=False)
    """Whether the server sends nothing more and waits for the client to leave."""
    noted: bool = field(default=False, init=False)
    """Whether the end is recorded."""
    _early_heads: list[Head] = field(factory=list[Head], init=False)
    """Informational heads of the origin, held back until the rules are applied to its answer."""
    begun: bool = field(default=False, init=False)
    """Whether any byte of the response was sent."""
    half_closed: bool = field(default=False, init=False)
    """Whether the client has sent its FIN; the connection's watcher sets it."""
    idle: bool = field(default=False, init=False)
    """Whether nothing can be sent now: a stream waits for its job, or a rule makes it wait."""

    async def run(self) -> Ended:
        """Answer the request; raises OSError when the client goes away meanwhile."""
        loss = loss_of(self._plan.rules)
        plan = self._head_plan()
        if loss is not None and loss[0] is Lost.REQUEST:
            return await self._end(loss[1])
        answered = await self._answer(plan)
        try:
            if loss is not None:
                return await self._end(loss[1])
            if delay := self._plan.head_delay():
                await self._pause(delay)
            return await self._respond(self._head_plan(), answered)
        finally:
            if not isinstance(answered.body, bytes):
                with anyio.CancelScope(shield=True):
                    await answered.body.aclose()

    def _head_plan(self) -> HeadPlan:
        return head_plan(self._plan.rules, self._request.route)

    async def _answer(self, plan: HeadPlan) -> Answered:
        if plan.asks_origin:
            request = self._request.uncompressed() if self._plan.rules else self._request
            try:
                answered = await self._service.origin.answer(request, plan.resume, self)
            except _ClientGone as gone:
                raise ConnectionResetError from gone
            except OSError as error:
                raise OriginFailed from error
            answered = await self._unreadable(answered) or answered
            if answered.failed:
                # Rules that change this answer would hide from the client what went wrong.
                self._plan = ExchangePlan(self._plan.about, [])
                return answered
        else:
            status = plan.status or 200
            body = b"" if plan.body is None else plan.body
            scripted = plan.frames is not None
            head = Head(status, phrase_of(status), (_STREAM_TYPE,) if scripted else ())
            answered = Answered(head, FixedSource(plan.frames) if plan.frames is not None else body)
        head = answered.head
        status = plan.status or head.status
        reason = plan.reason or (head.reason if status == head.status else phrase_of(status))
        headers = replaced(head.headers, plan.headers, plan.without)
        return evolve(answered, head=Head(status, reason, headers))

    async def _unreadable(self, answered: Answered) -> Answered | None:
        """Refuse a compressed stream if a rule needs its frames; the rule could never fire."""
        about = BodyKind.of(answered.head.headers)
        if not (about.stream and about.coding and self._plan.looks_into_frames):
            return None
        why = (
            f"the stream is compressed ({about.coding}), so the rules cannot see its frames; "
            "turn compression off at the upstream, or remove the rules about frames"
        )
        return await refused_as_compressed(answered, why, self)

    async def early(self, head: Head) -> None:
        """Pass on an informational head, or hold it back until the rules are applied."""
        if not self._chunks_allowed:
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
        journal = self._service.journal
        about = (self._request.route, self._plan.about.attempt)
        said = (failure.reason.value, failure.why)
        journal.add(UpstreamFailed(*journal.stamp(), self._connection, *about, *said))

    async def _respond(self, plan: HeadPlan, answered: Answered) -> Ended:
        head, body = answered.head, answered.body
        if (coded := compressed(head, plan, self._request.headers)) is not None:
            head, self._gzip = coded, Gzipping()
        rendered, self._promise = announced(head, plan, self._terms(plan, body))
        nothing = self._promise.bodiless or head.status in BODILESS
        if isinstance(body, bytes) and self._is_plain(plan):
            return await self._respond_at_once(head, rendered, b"" if nothing else body)
        self.begun = True
        await self._wire.send(self._early(plan) + rendered)
        self._note_response(head)
        if nothing:
            body = b""
        if isinstance(body, bytes):
            body = FixedSource((Frame(body),) if body else ())
        kind = next((value for name, value in head.headers if name.lower() == "content-type"), "")
        return await self._stream(body, live=kind.startswith(_STREAM_TYPE[1]))

    def _terms(self, plan: HeadPlan, body: bytes | Source) -> Terms:
        known = None if self._plan.rewrites or not isinstance(body, bytes) else len(body)
        in_chunks = self._plan.final in _CHUNK_ENDINGS
        framing = plan.framing or (Framing.CHUNKED if in_chunks else None)
        return Terms(
            self._request.method,
            self._keep_alive,
            self._chunks_allowed,
            known,
            framing,
        )

    def _is_plain(self, plan: HeadPlan) -> bool:
        return (
            self._plan.plain
            and not plan.early
            and not self._early_heads
            and plan.raw is None
            and self._promise.framing is None
            and self._gzip is None
        )

    async def _respond_at_once(self, head: Head, rendered: bytes, body: bytes) -> Ended:
        """Send head and body in one piece, as for every answer without a fault."""
        self._begin_outage()
        self.begun = True
        await self._wire.send(rendered + body)
        self._note_response(head)
        return self._done(Ending.EOF, reusable=self._promise.kept(len(body)))

    def _early(self, plan: HeadPlan) -> bytes:
        if not self._chunks_allowed:
            return b""  # HTTP/1.0 has no informational heads (RFC 9110, 15.2)
        heads = (*self._early_heads, *(Head(code, phrase_of(code), ()) for code in plan.early))
        return b"".join(head.render() for head in heads)

    async def _stream(self, source: Source, *, live: bool) -> Ended:
        plan = self._plan
        if ended := await self._carry_out(plan.start()):
            return ended
        limit = BATCH if plan.steady else 1
        while frames := await self._next(source, limit, live=live):
            if plan.transparent and not any(each.delay or each.gate for each in frames):
                await self._pass_on(frames)
            elif ended := await self._act_on(frames):
                return ended
        ended = await self._carry_out(plan.finish(source.end))
        if ended is None:
            raise RuntimeError("the plan finished a stream without an end")
        return ended

    async def _next(self, source: Source, limit: int, *, live: bool) -> Sequence[Frame]:
        """Wait for frames; for a live stream only until the client has closed its half."""
        whole = not self._plan.transparent
        try:
            if not live:
                return await source.next(limit, whole=whole)
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

    @contextmanager
    def _waiting(self) -> Generator[None, None, None]:
        """Mark that nothing can be sent; a client that closes now counts as gone."""
        if self.half_closed:
            raise ClientFinished
        self.idle = True
        try:
            yield
        finally:
            self.idle = False

    async def _pass_on(self, frames: Sequence[Frame]) -> None:
        """Send frames that no rule touches in one piece, each in its own chunk."""
        await self._send([frame.raw for frame in frames])
        for frame in frames:
            if frame.part:
                self._begun += frame.raw
            else:
                self._note_frame(frame)

    async def _act_on(self, frames: Sequence[Frame]) -> Ended | None:
        """Apply the rules; consecutive writes are sent in one piece."""
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
        await self._write_all(writes)
        return None

    async def _carry_out(self, ops: list[Action]) -> Ended | None:
        for op in ops:
            match op:
                case Write():
                    await self._write_all((op,))
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

    async def _write_all(self, writes: Sequence[Write]) -> None:
        """Send the data of these writes in one piece, each in its own chunk."""
        await self._send([write.data for write in writes])
        for write in writes:
            for frame in write.frames:
                self._note_frame(frame)

    async def _send(self, pieces: Sequence[bytes]) -> None:
        """Send pieces of the body, framed as the head promised."""
        if self._promise.bodiless:
            return
        if self._gzip is not None:
            pieces = [self._gzip.feed(each) for each in pieces if each]
        await self._wire.send(self._framed(pieces))
        self.written += sum(map(len, pieces))

    def _framed(self, pieces: Sequence[bytes]) -> bytes:
        if self._promise.framing is Framing.CHUNKED:
            return b"".join([b"%x\r\n%b\r\n" % (len(each), each) for each in pieces if each])
        return b"".join(pieces)

    def _begin_outage(self) -> None:
        """Take the port away before the last bytes, so that no client reconnects too early."""
        if outage := self._plan.outage:
            self._service.outage(*outage)

    async def _end(self, end: End) -> Ended:
        wire = self._wire
        self._begin_outage()
        match end.how:
            case Ending.EOF:
                return await self._polite_end(end.extra)
            case Ending.RST:
                await wire.drain()
                wire.reset()
            case Ending.HANG:
                return await self._hang()
            case Ending.HALF_CLOSE:
                wire.half_close()
            case Ending.GARBAGE:
                await wire.send_beneath(_GARBAGE)
                wire.half_close()
            case Ending.TLS_ALERT:
                await wire.alert()
                wire.half_close()
            case Ending.FIN | Ending.BAD_CHUNK | Ending.SHORT_CHUNK:
                last = _LAST_WORDS.get(end.how, b"") + end.extra
                if last:
                    await wire.send(last)
                wire.half_close()
        return self._done(end.how, reusable=False)

    async def _polite_end(self, extra: bytes) -> Ended:
        chunked = self._promise.framing is Framing.CHUNKED
        last = b"0\r\n\r\n" if chunked else b""
        if self._gzip is not None and not self._promise.bodiless:
            last = self._framed([self._gzip.end()]) + last
        if last or extra:
            await self._wire.send(last + extra)
        reusable = self._promise.kept(self.written) and not extra
        return self._done(Ending.EOF, reusable=reusable)

    async def _hang(self) -> Ended:
        """Send nothing more; the connection's watcher cancels this when the client leaves."""
        self.hanging = True
        with self._waiting():
            await anyio.sleep(self._service.limits.stall_time)
        self._wire.half_close()
        return self._done(Ending.HANG, reusable=False)

    def _done(self, how: Ending, *, reusable: bool) -> Ended:
        self.note_end(how.value, "server")
        return Ended(how.value, reusable)

    def note_end(self, how: str, by: str) -> None:
        """Record how the exchange ended, once."""
        if not self.noted:
            self.noted = True
            journal = self._service.journal
            route, attempt = self._request.route, self._plan.about.attempt
            journal.add(ExchangeEnded(*journal.stamp(), self._connection, route, attempt, how, by))

    def _note_response(self, head: Head) -> None:
        journal = self._service.journal
        route, attempt = self._request.route, self._plan.about.attempt
        after = next((value for name, value in head.headers if name.lower() == "retry-after"), None)
        journal.add(
            ResponseStarted(*journal.stamp(), self._connection, route, attempt, head.status, after)
        )

    def _note_frame(self, frame: Frame) -> None:
        self._sent += 1
        data = bytes(self._begun) + frame.raw if self._begun else frame.raw
        self._begun.clear()
        journal = self._service.journal
        journal.add_frame(
            FrameSent(
                *journal.stamp(),
                self._connection,
                self._request.route,
                self._plan.about.attempt,
                self._sent,
                frame.id,
                frame.event,
                frame.type,
            ),
            data,
        )
