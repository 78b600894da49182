"""Decide how long the kit waits for a driver, and when a silent driver counts as hung."""

import math
import time
from collections.abc import Callable
from typing import Final

import anyio
from attrs import define

from conformance.drive.connection import DriverConnection
from conformance.drive.recorder import Recorder

TALK: Final = 8
"""How long a driver may send only reports, without any traffic, in multiples of the patience."""
_TALK_BESIDE: Final = 10.0
"""Seconds added to the `TALK` limit, because a short patience is too strict under load."""
_INDULGENCES: Final = 8
_SECONDS_PER_BYTE: Final = 2e-5
"""Seconds of CPU time allowed per byte sent; a client may process its input bytewise."""
_SHARE: Final = 4
"""The factor by which reading may take longer on a machine under load."""


async def patiently(
    recorder: Recorder,
    connection: DriverConnection,
    patience: float,
    done: Callable[[], bool],
    *,
    most: float = math.inf,
) -> bool:
    """Wait until `done()` is true or nothing more happens; return whether `done()` became true.

    Every event except a log line restarts the watchdog, so a case has no deadline as long as there
    is traffic or the driver sends answers. The kit learns about callbacks and sleeps only from the
    driver's reports; these alone keep a case going for about `TALK` times the patience. A driver
    that is using the processor may be silent for longer, and the more bytes it was sent, the longer
    it may be silent. `most` is an absolute limit. All times are in seconds.
    """
    began = time.monotonic()
    silence = _Silence(recorder, connection, patience, connection.busy_seconds())
    while not done():
        if connection.broken is not None or recorder.overfull:
            return False
        heard = max(recorder.heard, silence.since, began)
        beside = _TALK_BESIDE + silence.reading * _SHARE
        talk = recorder.proven + TALK * patience + beside
        left = min(heard + patience, talk, began + most) - time.monotonic()
        if left > 0:
            with anyio.move_on_after(left):
                await recorder.growth()
            continue
        before = recorder.heard
        connection.drain()
        if recorder.heard > before or recorder.proven + TALK * patience > talk:
            continue
        if done() or time.monotonic() >= min(talk, began + most) or not silence.excused(before):
            return done()
    return True


@define
class _Silence:
    """Decides whether a silent driver is still working, judging by its use of the processor."""

    recorder: Recorder
    connection: DriverConnection
    patience: float
    used: float | None
    since: float = 0.0
    _heard: float = -1.0
    _excuses: int = 0
    _spent: float = 0.0
    _taken: int = 0

    @property
    def reading(self) -> float:
        """The seconds of CPU time that the client may spend on reading what it was sent."""
        return self.recorder.bytes_sent() * _SECONDS_PER_BYTE

    def excused(self, heard: float) -> bool:
        """Return whether the driver gets more time; `heard` is the time of its last activity."""
        now, sent = self.connection.busy_seconds(), self.recorder.bytes_sent()
        takes_more, self._taken = sent > self._taken, sent
        if now is None or self.used is None:
            self.since = time.monotonic()
            return takes_more
        worked, self.used, self.since = now - self.used, now, time.monotonic()
        if heard > self._heard:
            # Work that the driver did before it went silent does not count.
            self._heard, self._spent = heard, 0.0
        else:
            self._spent += worked
        self._excuses += 1
        reading = self.reading
        # On a machine under load, a driver gets little CPU time even over a long wait.
        idle = worked <= self.patience / 20 and not takes_more
        spinning = self._spent > self.patience / 2 + reading
        most = _INDULGENCES + reading * _SHARE / self.patience
        return not idle and not spinning and self._excuses <= most
