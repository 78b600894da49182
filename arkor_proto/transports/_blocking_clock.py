"""The clock, and ways to wait: until a deadline, for another thread or for a socket."""

import math
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, TypeVar

from attrs import define, field

from arkor_proto._messages import Timer
from arkor_proto.transports._tcp import is_ready

Ready = TypeVar("Ready")

_SLICE: Final = 0.5


class Clock(Protocol):
    """A monotonic clock, in seconds. Several threads may use it at the same time."""

    def time(self) -> float:
        """Return the current time."""
        ...

    def wait(
        self, select: Callable[[float | None], Ready], deadline: float | None, timer: Timer | None
    ) -> Ready:
        """Call `select` so that it returns by `deadline`, and return its result.

        `select(seconds)` waits for at most that many seconds, or for ever if `seconds` is None,
        and returns whether the wait was successful. If the session set the deadline, `timer` says
        what it is for; if the connection set it, `timer` is None.
        """
        ...


class MonotonicClock:
    """The system's monotonic clock."""

    time: "staticmethod[[], float]" = staticmethod(time.monotonic)

    def wait(
        self,
        select: Callable[[float | None], Ready],
        deadline: float | None,
        timer: Timer | None,  # noqa: ARG002 - for other clocks
    ) -> Ready:
        """Call `select` with the seconds left until `deadline`, and return its result."""
        return select(None if deadline is None else max(0.0, deadline - time.monotonic()))


@define(eq=False)
class Bell:
    """Wakes one thread: the one that is waiting, or the next one that waits.

    Any thread, and any signal handler, may ring it.
    """

    _lock: threading.Lock = field(init=False, factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self._lock.acquire()

    def ring(self) -> None:
        """End the current wait; if there is none, the next wait will end immediately."""
        try:
            self._lock.release()
        except RuntimeError:
            return  # it was already rung, and the thread has not woken up yet

    def clear(self) -> None:
        """Discard a ring that no wait has consumed yet."""
        self._lock.acquire(blocking=False)

    def wait(self, seconds: float | None) -> bool:
        """Wait at most `seconds` for a ring; return whether there was one."""
        return _in_slices(self._wait, seconds)

    def _wait(self, seconds: float | None) -> bool:
        return self._lock.acquire(timeout=-1 if seconds is None else seconds)


def wait_for_socket(waited: socket.socket, events: int, seconds: float | None) -> bool:
    """Wait up to `seconds` for one of `events` (`selectors` flags); return whether one occurred."""
    return _in_slices(partial(is_ready, waited, events), seconds)


def _in_slices(wait: Callable[[float | None], bool], seconds: float | None) -> bool:
    # A signal that arrives just before the main thread sleeps, or in another thread, does not wake
    # it, so it sleeps for at most half a second at a time.
    if threading.current_thread() is not threading.main_thread():
        return wait(seconds)
    end = math.inf if seconds is None else time.monotonic() + seconds
    while not wait(min(_SLICE, max(0.0, end - time.monotonic()))):
        if time.monotonic() >= end:
            return False
    return True
