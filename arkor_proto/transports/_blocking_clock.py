"""What time it is, and waiting: for sockets, for a deadline, for another thread.

It knows selectors and how to end a wait from outside. It refuses to know what is waited for.
"""

import os
import selectors
import socket
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from attrs import define, field

from arkor_proto._errors import TransportError
from arkor_proto._messages import Timer
from arkor_proto.transports._blocking_http import Need
from arkor_proto.transports._tcp import reason

Ready = TypeVar("Ready")


class Clock(Protocol):
    """What time it is, and how to wait for it; in seconds, and never going back."""

    def time(self) -> float:
        """Return the time now."""
        ...

    def wait(
        self, select: Callable[[float | None], Ready], deadline: float | None, timer: Timer | None
    ) -> Ready:
        """Return what `select(seconds)` returns, at `deadline` at the latest.

        `select` returns as soon as a socket is ready or somebody wakes it; None is for ever.
        `timer` says what a deadline of the session is for, None stands for one of the connection.
        """
        ...


class MonotonicClock:
    """The clock of the system."""

    def time(self) -> float:
        """Return the time now."""
        return time.monotonic()

    def wait(
        self,
        select: Callable[[float | None], Ready],
        deadline: float | None,
        timer: Timer | None,  # noqa: ARG002 - a hook for other clocks
    ) -> Ready:
        """Return what `select` returns, at `deadline` at the latest."""
        return select(None if deadline is None else max(0.0, deadline - time.monotonic()))


@contextmanager
def _out_of_resources() -> Generator[None]:
    """Raise TransportError for what the system refuses, such as one more file descriptor."""
    try:
        yield
    except OSError as error:
        raise TransportError(f"connection: cannot wait for it: {reason(error)}") from error


def new_watch() -> "Watch":
    """Return a place to wait at; raises TransportError where the system has no room for it."""
    with _out_of_resources():
        return Watch()


def _pair() -> tuple[socket.socket, socket.socket]:
    near, far = socket.socketpair()
    near.settimeout(0)
    far.settimeout(0)
    return near, far


@define(eq=False)
class Watch:
    """A place to wait at, and a bell that ends the wait: from any thread, or a signal handler."""

    _owner: int = field(init=False, factory=os.getpid)
    _selector: selectors.BaseSelector = field(init=False, factory=selectors.DefaultSelector)
    _bell: tuple[socket.socket, socket.socket] = field(init=False, factory=_pair)

    def __attrs_post_init__(self) -> None:
        self._selector.register(self._bell[0], selectors.EVENT_READ)

    def close(self) -> None:
        """Give the sockets back."""
        self._selector.close()
        for end in self._bell:
            end.close()

    def _own(self) -> None:
        """Begin anew in a forked child: what it has inherited is shared with its parent."""
        if self._owner != os.getpid():
            selector, bell = selectors.DefaultSelector(), _pair()
            selector.register(bell[0], selectors.EVENT_READ)
            self.close()  # the child's ends alone
            self._owner, self._selector, self._bell = os.getpid(), selector, bell

    def ring(self) -> None:
        """End the wait that is under way, or else the next one."""
        try:
            self._own()
            self._bell[1].send(b"\0")
        except OSError:
            # The bell is full of rings that nobody has heard yet, or nobody is here to hear it.
            return

    def select(self, needs: Collection[Need], seconds: float | None) -> tuple[list[Need], bool]:
        """Wait for one of `needs`; return those that are met, and whether the bell was rung.

        Raises TransportError where the system has no room to wait for them.
        """
        with _out_of_resources():
            self._own()
            self._register(needs)
            ready = {key.fd for key, _ in self._selector.select(seconds)}
        rung = self._bell[0].fileno() in ready
        if rung:
            self._bell[0].recv(4096)
        return [need for need in needs if need.socket.fileno() in ready], rung

    def _register(self, needs: Collection[Need]) -> None:
        known = {key.fileobj: key.events for key in self._selector.get_map().values()}
        del known[self._bell[0]]
        wanted = {need.socket: need.events for need in needs if need.socket.fileno() >= 0}
        # What is over goes first: its number may be that of a new socket by now.
        for gone in known.keys() - wanted.keys():
            self._selector.unregister(gone)
        for each, events in wanted.items():
            if each not in known:
                self._selector.register(each, events)
            elif known[each] != events:
                self._selector.modify(each, events)
