"""Mutants of the timers of a stream."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

import math

from attrs import evolve

from arkor_proto._exchange import Pending
from arkor_proto._messages import Handled
from arkor_proto._table import Stream
from arkor_proto._wait import Wait
from conformance.mutants.patching import (
    ByObject,
    breaks,
    change_profiles,
    hear_the_present_stream_alone,
    replace,
)


@breaks("ARK-IDL-1", "ARK-IDL-2")
def waits_in_silence_for_ever() -> None:
    """A connection that says nothing is never given up."""
    change_profiles(lambda profile: evolve(profile, byte_timeout=None))


@breaks("ARK-IDL-2")
def has_another_timer() -> None:
    """The byte timer defaults to five minutes."""
    change_profiles(lambda p: evolve(p, byte_timeout=None if p.byte_timeout is None else 300.0))


@breaks("ARK-IDL-1")
def gives_up_on_silence() -> None:
    """A silent stream ends the wait."""
    original = Wait.tick

    def tick(wait: Wait, now: float) -> None:
        if wait.machines.stream is Stream.STREAMING and now >= wait._idle_at():
            wait._reject(wait._silence(now))
        else:
            original(wait, now)

    replace(Wait, "tick", tick)


@breaks("ARK-IDL-1")
def leaves_the_silent_connection() -> None:
    """A silent stream is reopened, and the old connection stays beside the new one."""
    original = Wait.tick

    def tick(wait: Wait, now: float) -> None:
        if wait.machines.stream is Stream.STREAMING and now >= wait._idle_at():
            wait._exchange = None
            wait._ended, wait._ending = True, wait._silence(now)
            wait._advance(now)
        else:
            original(wait, now)

    replace(Wait, "tick", tick)
    hear_the_present_stream_alone()


@breaks("ARK-IDL-4")
def ignores_the_progress_timer() -> None:
    """Progress is not watched, though the caller asks for it."""

    def idle_at(wait: Wait) -> float:
        timeout = wait.profile.byte_timeout
        return math.inf if timeout is None else wait._heard_at + timeout

    replace(Wait, "_idle_at", idle_at)


@breaks("ARK-IDL-3")
def restarts_the_timer_with_events_only() -> None:
    """Bytes that complete no event are silence."""
    original = Wait._received

    def received(wait: Wait, pending: Pending, data: bytes, now: float) -> None:
        heard_at, delivered = wait._heard_at, wait._delivered
        original(wait, pending, data, now)
        if wait._delivered == delivered:
            wait._heard_at = heard_at

    replace(Wait, "_received", received)


@breaks("ARK-IDL-5")
def counts_the_time_of_callbacks_as_silence() -> None:
    """The timer runs on while the application is busy with an event."""
    original = Wait.handled

    def handled(wait: Wait, report: Handled, now: float) -> None:
        heard_at = wait._heard_at
        original(wait, report, now)
        wait._heard_at = heard_at

    replace(Wait, "handled", handled)


@breaks("ARK-IDL-6")
def gives_a_silent_stream_up_where_it_should_not() -> None:
    """The published revisions get a timer of five minutes as well."""
    change_profiles(
        lambda p: evolve(p, byte_timeout=300.0 if p.byte_timeout is None else p.byte_timeout)
    )


@breaks("ARK-STR-14")
def limits_the_stream_to_an_hour() -> None:
    """A stream that is an hour old is reopened, whatever it brings."""
    opened_originally, idle_originally = Wait._responded, Wait._idle_at
    opened = ByObject[float]()

    def responded(wait: Wait, pending: Pending, now: float) -> None:
        opened[wait] = now
        opened_originally(wait, pending, now)

    def idle_at(wait: Wait) -> float:
        return min(idle_originally(wait), opened[wait] + 3600.0)

    replace(Wait, "_responded", responded)
    replace(Wait, "_idle_at", idle_at)
