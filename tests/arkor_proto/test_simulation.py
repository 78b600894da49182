"""A session against a backend in memory, in virtual time, under seeded faults.

A day of outages takes milliseconds, because time is an argument. Each run prints its seed when it
fails: the seed is the parameter of the test.
"""

from heapq import heapify, heappop, heappush
from random import Random
from typing import Final, assert_never

import pytest
from attrs import Factory, define

from arkor_proto import (
    HARDENED,
    PROFILES,
    Broken,
    Close,
    Deliver,
    Done,
    Finished,
    Follow,
    Handled,
    Idle,
    Input,
    Notify,
    Output,
    Profile,
    Received,
    ReconnectPolicy,
    Resolved,
    Responded,
    Send,
    Session,
    SessionConfig,
    Settle,
    Tick,
    TrainingLog,
)
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    ENDPOINT,
    EVENT_STREAM,
    SPEC,
    frame,
    job_answer,
    log,
)

DAY: Final = 86_400.0
EVENT_EVERY: Final = 600.0
STEPS: Final = 143


@define
class Backend:
    """A job that logs every ten minutes for a day, behind a network with faults.

    `inbox` holds what the network will report, by virtual time.
    """

    random: Random
    faults: tuple[str, ...] = ("eof", "broken", "silence")
    inbox: list[tuple[float, int, Input]] = Factory(list[tuple[float, int, Input]])
    opens: int = 0
    _count: int = 0

    def answer(self, number: int, target: str, cursor: bytes, now: float) -> None:
        """Answer one request, or fail to."""
        if "/events/" not in target:
            self._report(now + 0.1, Responded(number, 200))
            self._report(now + 0.2, Received(number, job_answer()))
            self._report(now + 0.3, Finished(number))
            return
        self.opens += 1
        chance = self.random.random()
        if chance < 0.2:
            self._report(now + self.random.random(), Broken(number, OSError("no route")))
        elif chance < 0.4:
            self._report(now + 0.1, Responded(number, self.random.choice([500, 502, 503, 429])))
            self._report(now + 0.2, Finished(number))
        else:
            self._report(now + 0.1, Responded(number, 200, EVENT_STREAM))
            self._stream(number, int(cursor or 0), now + 0.2)

    def forget(self, number: int) -> None:
        """Forget what would have come on a closed exchange."""
        self.inbox = [item for item in self.inbox if getattr(item[2], "exchange", 0) != number]
        heapify(self.inbox)

    def _stream(self, number: int, cursor: int, now: float) -> None:
        """Send what there is and what will be, until a fault that comes within some hours."""
        end = now + self.random.expovariate(1 / 7200)
        at = now
        while at < end and cursor <= STEPS:
            at = max(at, cursor * EVENT_EVERY)
            if at >= end:
                break
            data = frame(COMPLETED if cursor == STEPS else log(cursor), id=str(cursor + 1))
            cut = self.random.randrange(len(data))
            self._report(at, Received(number, data[:cut]))
            self._report(at, Received(number, data[cut:]))
            cursor += 1
            at += 0.01
        ping = now + 30.0
        while ping < end:
            self._report(ping, Received(number, b": keep-alive\n\n"))
            ping += 30.0
        fault = self.random.choice(self.faults)
        if fault != "silence":
            last = Finished(number) if fault == "eof" else Broken(number, OSError("reset"))
            self._report(max(end, at), last)

    def _report(self, at: float, event: Input) -> None:
        self._count += 1
        heappush(self.inbox, (at, self._count, event))


@define
class Day:
    """One run: the session, its backend, the clock, and what came of it."""

    session: Session
    backend: Backend
    now: float = 0.0
    heard: list[int] = Factory(list[int])
    inputs: list[tuple[float, Input]] = Factory(list[tuple[float, Input]])
    outputs: list[Output] = Factory(list[Output])
    outcome: Settle | None = None

    def run(self) -> "Day":
        """Let the time pass until nothing is under way any more."""
        self._take(Follow())
        while (rest := self._drain()) != Done():
            due = rest.until if isinstance(rest, Idle) else None
            if self.backend.inbox and (due is None or self.backend.inbox[0][0] < due):
                at, _, event = heappop(self.backend.inbox)
                self.now = max(self.now, at)
                self._take(event)
            else:
                assert due is not None, "the session waits for a backend that says nothing more"
                self.now = max(self.now, due)
                self._take(Tick())
        return self

    def _take(self, event: Input) -> None:
        self.inputs.append((self.now, event))
        self.session.handle(event, self.now)

    def _drain(self) -> Idle | Done:
        while True:
            output = self.session.poll()
            self.outputs.append(output)
            match output:
                case Send(number, request):
                    cursor = dict(request.headers).get(b"Last-Event-ID", b"")
                    self.backend.answer(number, request.target, cursor, self.now)
                case Close(number):
                    self.backend.forget(number)
                case Deliver(delivery, event):
                    self.heard.append(
                        (event.step or 0) if isinstance(event, TrainingLog) else STEPS
                    )
                    self._take(Handled(delivery))
                case Settle():
                    self.outcome = output
                case Notify():
                    pass
                case Idle() | Done():
                    return output
                case never:
                    assert_never(never)


def a_day(profile: Profile, seed: int) -> Day:
    """Return a day under the faults of `seed`; only the hardened profile survives silence."""
    config = SessionConfig(endpoint=ENDPOINT, job=SPEC, idempotency_key="key-1")
    session = Session(config, profile=profile, policy=ReconnectPolicy(), random=rng(seed).random)
    backend = Backend(rng(seed + 1000))
    if profile is not HARDENED:
        backend.faults = ("eof", "broken")
    return Day(session, backend)


def rng(seed: int) -> Random:
    """Return chance that can be repeated."""
    return Random(seed)  # noqa: S311 - a seed is no secret


everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


@everywhere
@pytest.mark.parametrize("seed", range(10))
def test_a_day_of_outages_loses_nothing_and_repeats_nothing(profile: Profile, seed: int) -> None:
    day = a_day(profile, seed).run()
    assert day.heard == list(range(STEPS + 1))
    assert day.outcome is not None
    assert isinstance(day.outcome.outcome, Resolved)


@everywhere
def test_a_day_of_outages_ends_within_minutes_of_the_job(profile: Profile) -> None:
    days = [a_day(profile, seed).run() for seed in range(5)]
    assert all(STEPS * EVENT_EVERY <= day.now < DAY + 1800 for day in days)
    assert sum(day.backend.opens for day in days) > 50


@everywhere
def test_a_recorded_day_replays_bit_for_bit(profile: Profile) -> None:
    lived = a_day(profile, 3).run()
    again = a_day(profile, 3).session
    outputs: list[Output] = []
    for now, event in lived.inputs:
        again.handle(event, now)
        while not isinstance(output := again.poll(), (Idle, Done)):
            outputs.append(output)
    told = [output for output in lived.outputs if not isinstance(output, (Idle, Done))]
    assert repr(outputs) == repr(told)
    assert [o for o in outputs if isinstance(o, Send)] == [o for o in told if isinstance(o, Send)]


def test_other_dice_make_another_day() -> None:
    assert a_day(HARDENED, 1).run().inputs != a_day(HARDENED, 2).run().inputs
