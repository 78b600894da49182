"""A virtual clock for the transport under test; each check decides which timers expire."""

import threading

from attrs import define, field

from arkor_proto import Timer


@define(eq=False)
class VirtualClock:
    """Virtual time, in seconds; any thread may use it.

    Waiting for a timer in `passing` takes no real time. The other timers never expire, so a wait
    for one of them lasts until something else ends it.
    """

    passing: frozenset[Timer] = frozenset({Timer.RECONNECT})
    _now: float = field(default=0.0, init=False)
    _waits: list[tuple[Timer, float, float]] = field(
        factory=list[tuple[Timer, float, float]], init=False
    )
    _changed: threading.Condition = field(factory=threading.Condition, init=False)

    def time(self) -> float:
        """Return the current virtual time, which every input to the session takes as its `now`."""
        with self._changed:
            return self._now

    def passes(self, deadline: float, timer: Timer) -> bool:
        """Record a wait for the deadline of an `Idle`, and return whether the deadline has passed.

        True means that the deadline has passed, so give the session a `Tick`. False means that it
        will never pass, so wait only for the network, the callback or the application.
        """
        with self._changed:
            if not self._waits or self._waits[-1][:2] != (timer, deadline):
                self._waits.append((timer, deadline, deadline - self._now))
            if timer in self.passing:
                self._now = max(self._now, deadline)
            self._changed.notify_all()
            return timer in self.passing

    def delays(self, timer: Timer = Timer.RECONNECT) -> list[float]:
        """Return the length of each wait for `timer`, in seconds."""
        with self._changed:
            return [round(delay, 6) for each, _, delay in self._waits if each is timer]

    def waits_for(self, timer: Timer, patience: float) -> bool:
        """Block until the transport is waiting on `timer`, for at most `patience` seconds.

        Return False if that does not happen.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: any(each is timer for each, _, _ in self._waits), patience
            )
