"""A simulated job: every kind of fault is survived, and a broken promise is noticed."""

from random import Random

import pytest
from attrs import evolve

from arkor_proto import (
    HARDENED,
    PROFILE_2026_05,
    PROFILES,
    Broken,
    Deliver,
    Finished,
    Handled,
    Idle,
    Input,
    Output,
    Profile,
    Received,
    ReconnectPolicy,
    Responded,
    Send,
    Session,
    SessionConfig,
    Tick,
)
from conformance.simulate.faults import Fault, Kind, Source, kinds_of
from conformance.simulate.promises import Violated
from conformance.simulate.search import Search, searched, shrunk
from conformance.simulate.world import JobTime, Sessions, World, real

SHORT = JobTime(events=12, every=600.0)
everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


def fault(kind: Kind) -> Fault:
    """Return a fault of this kind early in a job."""
    at = 100.0 if kind.place == "second" else 1.0
    values = {Kind.STATUS: 503.0, Kind.ASLEEP: 3000.0}
    return Fault(kind.word, at, values.get(kind, 2.0))


@everywhere
def test_a_job_without_faults_is_followed_with_one_open(profile: Profile) -> None:
    world = World((), "0", profile, SHORT).run()
    assert (world.opens, world.creates, len(world.heard)) == (1, 1, 12)
    assert 7200 <= world.now < 7210


@pytest.mark.parametrize("kind", kinds_of(HARDENED), ids=lambda kind: kind.word)
def test_each_kind_of_fault_is_survived(kind: Kind) -> None:
    World((fault(kind),), "0", HARDENED, SHORT).run()


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.END, Kind.SILENCE], ids=lambda kind: kind.word)
def test_a_stream_that_ends_is_opened_again(kind: Kind) -> None:
    assert World((fault(kind),), "0", HARDENED, SHORT).run().opens == 2


@pytest.mark.parametrize("kind", [Kind.LOST_CREATE, Kind.LOST_ANSWER], ids=lambda kind: kind.word)
def test_a_create_that_is_lost_is_sent_again_and_makes_one_job(kind: Kind) -> None:
    world = World((fault(kind),), "0", HARDENED, SHORT).run()
    assert (world.creates, len(world.backend.jobs)) == (2, 1)


def test_a_machine_that_sleeps_is_late_and_loses_nothing() -> None:
    world = World((Fault(Kind.ASLEEP.word, 100.0, 5000.0),), "0", HARDENED, SHORT).run()
    assert len(world.heard) == 12


def test_the_same_seed_lives_the_same_life() -> None:
    faults = (fault(Kind.CUT), fault(Kind.SLOW))
    first, second = (World(faults, "7", HARDENED, SHORT).run() for _ in range(2))
    assert (first.now, first.inputs, first.heard) == (second.now, second.inputs, second.heard)


def test_silence_that_no_timer_notices_is_a_broken_promise() -> None:
    with pytest.raises(Violated, match="sends nothing more"):
        World((fault(Kind.SILENCE),), "0", PROFILE_2026_05, SHORT).run()


class Wrong(Session):
    """A client that gets one kind of fault wrong, and everything else right."""

    misread: Kind
    now = 0.0
    until: float | None = None
    """Until when it waits."""
    sent: dict[int, float]
    delivered = 0.0

    def handle(self, event: Input, now: float) -> None:
        """Take an input, unless it shows the fault."""
        before, self.now = self.now, now
        lost = self._given_up(event, now - before)
        match self.misread, event:
            case _ if lost is not None:
                super().handle(Broken(lost, OSError("gave up"), final=True), now)
            case Kind.SILENCE, Tick():
                pass  # it has no timer
            case Kind.LOST_CREATE, Broken(exchange=1):
                pass  # it waits for an answer that never comes
            case Kind.RAISES, Handled(delivery=delivery):
                super().handle(Handled(delivery), now)  # it swallows the error
            case Kind.EARLY, Tick():
                super().handle(event, max(now, self.until or now))  # it does not look at the clock
            case _:
                super().handle(event, now)

    def _given_up(self, event: Input, passed: float) -> int | None:
        """Return the exchange that it gives up because of the fault."""
        found = None
        match self.misread, event:
            case (
                (
                    Kind.REFUSED,
                    Broken(exchange=exchange, error=OSError(args=("connection refused",))),
                )
                | (Kind.CUT, Broken(exchange=exchange, error=OSError(args=("connection reset",))))
                | (Kind.STATUS, Responded(exchange=exchange, status=503))
            ):
                found = exchange
            case Kind.END, Finished(exchange=exchange) if exchange > 1:
                found = exchange
            case Kind.GARBAGE, Received(exchange=exchange, data=data) if b"not json" in data:
                found = exchange
            case Kind.LATE, Responded(exchange=exchange) if self.now - self.sent[exchange] > 1:
                found = exchange
            case Kind.ASLEEP, Received(exchange=exchange) if passed > 1000:
                found = exchange
            case Kind.SLOW, Handled() if self.now - self.delivered > 1:
                found = max(self.sent)
            case _:
                pass
        return found

    def poll(self) -> Output:
        """Return the next output; a second create has another key."""
        output = super().poll()
        match output:
            case Send(exchange, request):
                self.sent[exchange] = self.now
                if self.misread is Kind.LOST_ANSWER:
                    key = (b"Idempotency-Key", b"key-%d" % exchange)
                    others = (each for each in request.headers if each[0].lower() != key[0].lower())
                    return Send(exchange, evolve(request, headers=(*others, key)))
            case Deliver():
                self.delivered = self.now
            case Idle(until=until):
                self.until = until
            case _:
                pass
        return output


def wrong(kind: Kind) -> Sessions:
    """Return what makes clients that get this kind of fault wrong."""

    def made(
        config: SessionConfig, profile: Profile, policy: ReconnectPolicy, random: Random
    ) -> Wrong:
        client = Wrong(config, profile=profile, policy=policy, random=random.random)
        client.misread, client.sent = kind, {}
        return client

    return made


@pytest.mark.parametrize("kind", Kind, ids=lambda kind: kind.word)
def test_a_client_that_gets_a_kind_of_fault_wrong_is_caught_by_that_kind(kind: Kind) -> None:
    search = Search(time=SHORT, sessions=wrong(kind))
    assert search.broken(0, ()) == ""
    others = tuple(
        evolve(fault(each), at=float(number))
        for number, each in enumerate((Kind.GARBAGE, Kind.CUT, Kind.STATUS), 2)
        if each is not kind
    )
    assert search.broken(0, (fault(kind), *others)) != ""
    assert [each.kind for each in shrunk(search, 0, (fault(kind), *others)).shrunk] == [kind]


@everywhere
def test_every_kind_of_fault_occurs_in_a_search(profile: Profile) -> None:
    found = searched(Search(jobs=25, profile=profile, time=SHORT))
    assert found.found is None, found.found
    assert set(found.faults) == set(kinds_of(profile))
    assert all(found.injected(source) > 0 for source in Source)


class Deaf(Wrong):
    """A client that does not call back for the second event."""

    misread = Kind.RAISES
    count = 0

    def poll(self) -> Output:
        """Return the next output, without the second event."""
        output = super().poll()
        if isinstance(output, Deliver):
            self.count += 1
            if self.count == 2:
                self.handle(Handled(output.delivery), self.now)
                return self.poll()
        return output


class Crashing(Session):
    """A client with a bug that shows at the first event."""

    def poll(self) -> Output:
        """Return the next output, unless it is an event."""
        output = super().poll()
        if isinstance(output, Deliver):
            raise KeyError("step")
        return output


def deaf(config: SessionConfig, profile: Profile, policy: ReconnectPolicy, random: Random) -> Deaf:
    """Make a client that loses something."""
    client = Deaf(config, profile=profile, policy=policy, random=random.random)
    client.sent = {}
    return client


def crashing(
    config: SessionConfig, profile: Profile, policy: ReconnectPolicy, random: Random
) -> Crashing:
    """Make a client that raises."""
    return Crashing(config, profile=profile, policy=policy, random=random.random)


def test_an_event_that_is_lost_is_a_broken_promise() -> None:
    with pytest.raises(Violated, match="event 2 of the log"):
        World((), "0", HARDENED, SHORT, deaf).run()


def test_a_client_that_crashes_breaks_a_promise() -> None:
    with pytest.raises(Violated, match="the client raised KeyError"):
        World((), "0", HARDENED, SHORT, crashing).run()


def test_a_callback_that_raises_rejects_the_wait_and_loses_nothing() -> None:
    world = World((Fault(Kind.RAISES.word, 3.0), Fault(Kind.RAISES.word, 12.0)), "0").run()
    assert world.opens == 3
    assert len(world.happened) == 2


def test_the_last_event_of_a_job_may_raise_and_the_result_is_kept() -> None:
    world = World((Fault(Kind.RAISES.word, 12.0),), "0", HARDENED, SHORT).run()
    assert (world.opens, len(world.heard), len(world.outcomes)) == (1, 12, 1)


def test_the_session_of_the_library_is_simulated_unless_another_is_given() -> None:
    assert World((), "0").sessions is real
