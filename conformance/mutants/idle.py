"""Mutants of the timers of a silent stream."""

# Mutants reach into what nobody else may touch.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

import math

from attrs import evolve

from arkor_proto._exchange import Pending, Report
from arkor_proto._table import Stream
from arkor_proto._wait import Wait
from conformance.mutants.surgery import breaks, change_profiles, replace


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
    tick_originally, report_originally = Wait.tick, Wait.reported

    def tick(wait: Wait, now: float) -> None:
        if wait.machines.stream is Stream.STREAMING and now >= wait._idle_at():
            wait._exchange = None
            wait._ended, wait._ending = True, wait._silence(now)
            wait._advance(now)
        else:
            tick_originally(wait, now)

    def reported(wait: Wait, pending: Pending, report: Report, now: float) -> None:
        if pending is wait._exchange:
            report_originally(wait, pending, report, now)

    replace(Wait, "tick", tick)
    replace(Wait, "reported", reported)


@breaks("ARK-IDL-4")
def ignores_the_progress_timer() -> None:
    """Progress is not watched, though the caller asks for it."""

    def idle_at(wait: Wait) -> float:
        timeout = wait.profile.byte_timeout
        return math.inf if timeout is None else wait._heard_at + timeout

    replace(Wait, "_idle_at", idle_at)
