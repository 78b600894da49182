"""The plan for one exchange: turns the origin's frames into actions, according to the rules."""

import random
from collections.abc import Callable, Iterable

from attrs import evolve, frozen

from mock_server.faults.actions import (
    Action,
    AwaitGate,
    End,
    Exchange,
    Pause,
    Write,
)
from mock_server.faults.end import (
    Breakpoint,
    end_of,
    extra_of,
    final_of,
    outage_of,
    stalling,
)
from mock_server.faults.frame import pieces_of, recast
from mock_server.scenario.frames import render
from mock_server.scenario.rule import Rule, merged
from mock_server.scenario.vocabulary import ScriptedFrame, Select
from mock_server.scenario.words.end import Ending, Outage
from mock_server.scenario.words.frame import FrameFault, SliceAt
from mock_server.sse import Frame


@frozen
class MatchedRule:
    """A rule that matches an exchange; `fire` counts one firing, or returns False at the limit."""

    rule: Rule
    rng: random.Random
    fire: Callable[[], bool]


def _picks(on: Select, index: int, frame: Frame) -> bool:
    return (
        (on.frame is None or index in on.frame)
        and (on.id is None or on.id == frame.id)
        and (on.event is None or on.event == frame.event)
        and (on.type is None or on.type == frame.type)
        and (not on.last or frame.ends_the_job)
    )


@frozen
class _Outgoing:
    """A frame on its way through the rules; `index` is 0 if a rule inserted or duplicated it."""

    frame: Frame
    index: int
    before: tuple[Action, ...] = ()
    cut: tuple[int | SliceAt, random.Random] | None = None


def _takes(stage: MatchedRule, out: _Outgoing) -> bool:
    """Return whether a rule acts on a frame; if so, count a firing of a rule that picks frames."""
    on = stage.rule.on
    if not on.picks_frames:
        return out.index > 0
    picked = _picks(on, out.index, out.frame)
    return picked and stage.rng.random() < on.probability and stage.fire()


class ExchangePlan:
    """What happens to one exchange: call `start`, `frame` for each frame, then `finish`.

    After an `End`, every further call returns no actions. If `transparent`, frames pass unchanged,
    so a carrier may pass bytes on without cutting them into frames. If `steady`, neither the
    timing of writes nor their boundaries matter, so a carrier may join writes.
    """

    def __init__(self, about: Exchange, matched: list[MatchedRule]) -> None:
        self.about = about
        self.rules = tuple(each.rule for each in matched)
        self.ended = False
        self._matched = matched
        self._stages = [each for each in matched if each.rule.acts_on_frames]
        self._held: list[tuple[int, _Outgoing]] = []
        self._breakpoints = [
            Breakpoint(after, each.fire, each.rule.end.stall, end_of(each.rule))
            for each in matched
            if (after := each.rule.end.after) is not None
        ]
        self._final = final_of(self.rules)
        self._extra = extra_of(self.rules)
        whole = merged(FrameFault, (rule.frame for rule in self.rules))
        self._coalesce = whole.coalesce or 1
        self._hold = whole.hold_bytes or 0
        self._joins = self._coalesce > 1 or self._hold > 0
        self._rate = whole.rate
        self._bom = whole.bom
        self._waiting: list[Write] = []
        self._held_bytes = 0
        self._seen = 0
        self._sent = 0
        self.steady = not any(rule.paces for rule in self.rules)
        self.transparent = not (
            self._stages or self._breakpoints or self._rate or self._bom or self._joins
        )

    @property
    def plain(self) -> bool:
        """Whether the rules leave the body, and the way it ends, unchanged."""
        stalls = any(rule.end.stall is not None for rule in self.rules)
        return self.transparent and not self._extra and not stalls and self.final is None

    @property
    def looks_into_frames(self) -> bool:
        """Whether the rules need to see the frames of a stream, which compression would hide."""
        breakpoints = any(point.depends_on_frames for point in self._breakpoints)
        return bool(self._stages or breakpoints or self._bom or self._coalesce > 1)

    @property
    def rewrites(self) -> bool:
        """Whether the rules may change the content of the body, or its length."""
        return any(rule.rewrites for rule in self.rules)

    @property
    def final(self) -> Ending | None:
        """How the rules end the response after the source's last frame; None if they do not."""
        return None if self._final is None else self._final.how

    def head_delay(self) -> float:
        """Return the delay of the response head, in seconds; it is random if a rule has jitter."""
        return sum(
            spread(each.rule.head.delay, each.rule.head.jitter, each.rng)
            for each in self._matched
            if not each.rule.on.picks_frames
        )

    @property
    def outage(self) -> tuple[Outage, float] | None:
        """The port outage that begins when the exchange ends, and its duration in seconds."""
        return outage_of(self.rules)

    def start(self) -> list[Action]:
        """Return the actions between the response head and the first frame."""
        ops: list[Action] = [Write(b"\xef\xbb\xbf")] if self._bom else []
        ops += [
            stalling(stall)
            for rule in self.rules
            if (stall := rule.end.stall) and not (rule.end.after or rule.on.picks_frames)
        ]
        return self._reach(ops, None)

    def frame(self, frame: Frame) -> list[Action]:
        """Return the actions for the next frame of the source."""
        if self.ended:
            return []
        if self.transparent and not frame.delay and frame.gate is None:
            return [Write(frame.raw, (frame,))]
        self._seen += 1
        outgoing: list[_Outgoing] = [_Outgoing(frame, self._seen, _before(frame))]
        for stage in self._stages:
            outgoing = [out for each in outgoing for out in self._apply(stage, each)]
        if self._held:
            outgoing += self._release()
        return self._emit_all(outgoing)

    def comment(self, data: bytes) -> list[Action]:
        """Return the actions for a comment from the server; rules do not count or pick comments."""
        return [] if self.ended else self._write(data, ())

    def finish(self, how: Ending = Ending.EOF) -> list[Action]:
        """Return the actions after the source's last frame; `how` says how the source ended."""
        if self.ended:
            return []
        ops = self._emit_all([each for _, each in self._held])
        self._held.clear()
        if not self.ended:
            self.ended = True
            ops += self._flush()
            ops.append(self._final or End(how, self._extra))
        return ops

    def _apply(self, stage: MatchedRule, out: _Outgoing) -> tuple[_Outgoing, ...]:
        if not _takes(stage, out):
            return (out,)
        fault = stage.rule.frame
        if fault.drop:
            return ()
        changed = _changed(stage.rule, out, stage.rng)
        if fault.reorder:
            self._held.append((fault.reorder, changed))
            return ()
        copies = [evolve(changed, index=0, before=())] * fault.duplicate
        if fault.inject is None:
            return (changed, *copies)
        before, after = map(_inserted, (fault.inject.before, fault.inject.after))
        return (*before, changed, *copies, *after)

    def _release(self) -> list[_Outgoing]:
        """Count one more frame for the frames being held back; return those that are now due."""
        free: list[_Outgoing] = []
        still: list[tuple[int, _Outgoing]] = []
        for left, each in self._held:
            if each.index == self._seen:
                still.append((left, each))
            elif left == 1:
                free.append(each)
            else:
                still.append((left - 1, each))
        self._held = still
        return free

    def _emit_all(self, outgoing: Iterable[_Outgoing]) -> list[Action]:
        ops: list[Action] = []
        for each in outgoing:
            if self.ended:
                break
            ops += self._emit(each)
        return ops

    def _emit(self, out: _Outgoing) -> list[Action]:
        ops = [*self._flush_unless_held(), *out.before] if out.before else []
        cut = next((point for point in self._breakpoints if point.cuts(self._sent)), None)
        if cut is not None and cut.fire():
            ops += self._cut_at(cut, out.frame)
            if self.ended:
                return ops
        else:
            # Cut last: rules after the one that slices may still change the bytes.
            pieces = (out.frame.raw,) if out.cut is None else pieces_of(*out.cut, out.frame.raw)
            for piece in pieces[:-1]:
                ops += self._write(piece, ())
            ops += self._write(pieces[-1], (out.frame,))
        self._sent += 1
        return self._reach(ops, out.frame)

    def _cut_at(self, point: Breakpoint, frame: Frame) -> list[Action]:
        """Send a frame up to a breakpoint; after that, send the rest unless the response ended."""
        head, rest = frame.raw[: point.after.bytes], frame.raw[point.after.bytes :]
        ops = [*self._write(head, () if rest else (frame,)), *self._happen(point)]
        return ops if self.ended or not rest else [*ops, *self._write(rest, (frame,))]

    def _reach(self, ops: list[Action], frame: Frame | None) -> list[Action]:
        for point in self._breakpoints:
            if not self.ended and point.reaches(self._sent, frame):
                point.reached = True
                if point.fire():
                    ops += self._happen(point)
        return ops

    def _happen(self, point: Breakpoint) -> list[Action]:
        point.reached = True
        self.ended = point.end is not None
        waiting = self._flush() if self.ended else self._flush_unless_held()
        return [*waiting, *point.actions()]

    def _write(self, data: bytes, frames: tuple[Frame, ...]) -> list[Action]:
        if not self._joins:
            return self._paced(Write(data, frames))
        self._waiting.append(Write(data, frames))
        self._held_bytes += len(data)
        return self._flush() if self._is_full else []

    @property
    def _is_full(self) -> bool:
        if self._held_bytes < self._hold:
            return False
        return sum(len(each.frames) for each in self._waiting) >= self._coalesce

    def _flush_unless_held(self) -> list[Action]:
        return [] if self._hold else self._flush()

    def _flush(self) -> list[Action]:
        if not self._waiting:
            return []
        data = b"".join(each.data for each in self._waiting)
        frames = tuple(frame for each in self._waiting for frame in each.frames)
        self._waiting.clear()
        self._held_bytes = 0
        return self._paced(Write(data, frames))

    def _paced(self, write: Write) -> list[Action]:
        if not write.data and not write.frames:
            return []
        return [write] if self._rate is None else [write, Pause(len(write.data) / self._rate)]


def _inserted(scripted: Iterable[ScriptedFrame]) -> list[_Outgoing]:
    return [_Outgoing(frame, 0, _before(frame)) for frame in map(render, scripted)]


def _before(frame: Frame) -> tuple[Action, ...]:
    pause = (Pause(frame.delay),) if frame.delay else ()
    return (*pause, AwaitGate(frame.gate)) if frame.gate is not None else pause


def _changed(rule: Rule, out: _Outgoing, rng: random.Random) -> _Outgoing:
    before = out.before
    if rule.on.picks_frames:
        if delay := spread(rule.head.delay, rule.head.jitter, rng):
            before = (*before, Pause(delay))
        if rule.end.stall is not None:
            before = (*before, stalling(rule.end.stall))
    frame = recast(rule.frame, out.frame, rng)
    cut = out.cut if rule.frame.slice is None else (rule.frame.slice, rng)
    return _Outgoing(frame, out.index, before, cut)


def spread(delay: float, jitter: float, rng: random.Random) -> float:
    """Return a random delay within `jitter` of `delay`, in seconds and never below zero."""
    return max(0.0, delay + rng.uniform(-jitter, jitter)) if jitter else delay
