"""A simulated job: every kind of fault is survived, and a broken promise is noticed."""

from random import Random

import pytest

from arkor_proto import (
    HARDENED,
    PROFILE_2026_05,
    PROFILES,
    Deliver,
    Handled,
    Input,
    Output,
    Profile,
    ReconnectPolicy,
    Session,
    SessionConfig,
)
from conformance.simulate.faults import Fault, Kind, kinds_of
from conformance.simulate.promises import Violated
from conformance.simulate.world import JobTime, World, real

SHORT = JobTime(events=12, every=600.0)
everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


def fault(kind: Kind) -> Fault:
    """Return a fault of this kind early in a job."""
    return Fault(kind.word, 1.0, 503.0 if kind is Kind.STATUS else 2.0)


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
    with pytest.raises(Violated, match="says nothing more"):
        World((fault(Kind.SILENCE),), "0", PROFILE_2026_05, SHORT).run()


class Deaf(Session):
    """A client that does not call back for the second event."""

    count = 0
    now = 0.0

    def handle(self, event: Input, now: float) -> None:
        """Take an input, and remember when."""
        self.now = now
        super().handle(event, now)

    def poll(self) -> Output:
        """Return the next output, without the second event."""
        output = super().poll()
        if isinstance(output, Deliver):
            self.count += 1
            if self.count == 2:
                self.handle(Handled(output.delivery), self.now)
                return self.poll()
        return output


def deaf(config: SessionConfig, profile: Profile, policy: ReconnectPolicy, random: Random) -> Deaf:
    """Make a client that loses something."""
    return Deaf(config, profile=profile, policy=policy, random=random.random)


def test_an_event_that_is_lost_is_a_broken_promise() -> None:
    with pytest.raises(Violated, match="event 2 of the log"):
        World((), "0", HARDENED, SHORT, deaf).run()


def test_the_session_of_the_library_is_simulated_unless_another_is_given() -> None:
    assert World((), "0").sessions is real
