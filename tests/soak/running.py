"""One soak on one carrier: start the followers, sample the memory, end them, and see what is left."""

import gc
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Final

import anyio
import anyio.lowlevel
from attrs import define, field, frozen

from arkor_proto.cli.shell import CommandError
from tests.soak import memory
from tests.soak.backend import Backend, Pace, backend
from tests.soak.checks import Plant
from tests.soak.following import Run, follow, follow_in_thread
from tests.soak.memory import InUse, Kind, Series
from tests.soak.report import Left, Report

_WARM_UP: Final = 1 / 3
"""The share of the run after which memory is measured."""
_SAMPLES: Final = 40
"""How often memory is measured, each time after a collection of cyclic garbage, which takes time."""
_SPARE: Final = 100
"""Descriptors for anything but followers."""
_GRACE: Final = 30.0
"""Seconds that followers have to end their last jobs, at least."""


@frozen
class Order:
    """What is to be run."""

    carrier: str
    followers: int
    seconds: float
    seed: int
    plants: frozenset[Plant] = frozenset()
    interval: float | None = None
    """Seconds between two events of a job; None for what suits the length of the run."""


def soak(order: Order) -> Report:
    """Run one soak; raise CommandError if it cannot be run, or if the mock ends early."""
    raise_the_limit(order.followers)
    pace = Pace.of(order.seconds, order.followers, order.interval)
    every = max(0.5, order.seconds / _SAMPLES)
    with backend(order.followers, pace, order.seed, every) as mock:
        watch = Watch(order, mock, Run(mock.base_url, pace, order.seed, order.plants))
        with interruptible(watch):
            if order.carrier == "threads":
                in_threads(watch)
            else:
                anyio.run(in_tasks, watch, backend=order.carrier)
        return watch.report()


def raise_the_limit(followers: int) -> None:
    """Allow as many descriptors as the followers need, which have up to two connections each."""
    needed = 3 * followers + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = sys.maxsize if hard == resource.RLIM_INFINITY else hard
    if needed > most:
        raise CommandError(
            f"--followers: {followers} followers need {needed} descriptors, the hard limit is {hard}; "
            f"raise it (ulimit -Hn), or take at most {(hard - _SPARE) // 3} followers"
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def series(whose: str) -> tuple[Series, ...]:
    """Return the samples of a process, one for each kind."""
    return tuple(Series(whose, kind) for kind in Kind)


def add(samples: tuple[Series, ...], seconds: float, in_use: InUse, resident: int) -> None:
    """Add one sample of each kind."""
    sizes = {Kind.OBJECTS: in_use.objects, Kind.HEAP: in_use.heap, Kind.RESIDENT: resident}
    for each in samples:
        each.add(seconds, sizes[each.kind])


@define(eq=False)
class Watch:
    """Samples the memory, and decides when the run ends."""

    order: Order
    mock: Backend
    run: Run
    interrupted: bool = False
    began: float = field(factory=time.monotonic, init=False)
    clients: tuple[Series, ...] = field(init=False, factory=lambda: series("clients"))
    server: tuple[Series, ...] = field(init=False, factory=lambda: series("mock"))
    left: list[Left] = field(init=False, factory=list[Left])
    due: float = field(init=False, default=0.0)
    """When the next sample is taken."""
    took: float = field(init=False, default=0.0)
    unfinished: int = field(init=False, default=0)
    gone: str | None = field(init=False, default=None)
    fired: Mapping[str, int] = field(init=False, factory=dict[str, int])

    @property
    def pause(self) -> float:
        """Seconds until it is looked at the mock, at the time and for a Ctrl-C again."""
        return min(0.2, self.order.seconds / _SAMPLES / 2)

    def goes_on(self) -> bool:
        """Take a sample if it is time for one; return whether the run goes on."""
        self.took = time.monotonic() - self.began
        self.gone = self.mock.ended
        if self.gone is not None or self.interrupted:
            return False
        if self.took > self.order.seconds * _WARM_UP and self.took >= self.due:
            self.due = self.took + self.order.seconds * (1 - _WARM_UP) / _SAMPLES
            add(self.clients, self.took, InUse.now(), memory.resident(os.getpid()))
            if (in_use := self.mock.in_use) is not None:
                add(self.server, self.took, in_use, self.mock.resident)
        return self.took < self.order.seconds

    @property
    def grace(self) -> float:
        """Seconds that followers have to end their last jobs: some wait for a stream that is silent."""
        return _GRACE + self.run.pace.spread + 4 * self.run.pace.silence

    @property
    def is_broken_off(self) -> bool:
        """Whether the followers must drop everything."""
        self.gone = self.gone or self.mock.ended
        return self.interrupted or self.gone is not None

    def compare(self, what: str, before: int, after: int) -> None:
        """Note how many of something there were before the followers and after them."""
        self.left.append(Left(what, before, after))

    def finish(self, unfinished: int, descriptors_of_mock: int) -> None:
        """Note what the end looks like."""
        self.unfinished = unfinished
        if self.gone is None and self.mock.ended is None:
            self.fired = self.mock.fired()
            after = self.mock.settle(descriptors_of_mock)
            self.compare("descriptors of the mock", descriptors_of_mock, after)

    def report(self) -> Report:
        """Return what was found."""
        return Report(
            carrier=self.order.carrier,
            seconds=self.took,
            seed=self.order.seed,
            counts=dict(self.run.tally.counts),
            first_error=self.run.tally.first_error,
            jobs_made=self.run.tally.highest_job,
            unfinished=self.unfinished,
            fired=self.fired,
            memory=[(each.whose, each.kind, each.slope) for each in (*self.clients, *self.server)],
            left=self.left,
            interrupted=self.interrupted,
            gone=self.gone,
        )


@contextmanager
def interruptible(watch: Watch) -> Generator[None]:
    """Let a Ctrl-C end the run in order; a second one ends it at once."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        watch.interrupted = True
        signal.signal(number, before)

    before = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if is_main:
        signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)


async def in_tasks(watch: Watch) -> None:
    """Run the followers as tasks of one event loop."""
    run, followers = watch.run, watch.order.followers
    await anyio.lowlevel.checkpoint()
    own, theirs = memory.descriptors(os.getpid()), watch.mock.descriptors
    tasks = len(anyio.get_running_tasks())
    ended = 0

    async def count(number: int) -> None:
        nonlocal ended
        await follow(run, number)
        ended += 1

    async with anyio.create_task_group() as group:
        for number in range(followers):
            group.start_soon(count, number)
        while watch.goes_on():  # noqa: ASYNC110 - the time between samples
            await anyio.sleep(watch.pause)
        run.ending_since = time.monotonic()
        until = time.monotonic() + watch.grace
        while ended < followers and not watch.is_broken_off and time.monotonic() < until:  # noqa: ASYNC110 - a signal or the end of a process is no event of the loop
            await anyio.sleep(0.05)
        run.is_over = ended < followers
        group.cancel_scope.cancel()
    left = followers - ended
    await anyio.sleep(0.1)
    gc.collect()
    watch.compare("descriptors", own, memory.descriptors(os.getpid()))
    watch.compare("tasks", tasks, len(anyio.get_running_tasks()))
    watch.finish(left, theirs)


def in_threads(watch: Watch) -> None:
    """Run the followers as threads."""
    run = watch.run
    own, theirs = memory.descriptors(os.getpid()), watch.mock.descriptors
    before = threading.active_count()
    pool = [
        threading.Thread(target=follow_in_thread, args=(run, number), daemon=True)
        for number in range(watch.order.followers)
    ]
    for thread in pool:
        thread.start()
    while watch.goes_on():
        time.sleep(watch.pause)
    run.ending_since = time.monotonic()
    wait_for(lambda: not alive(pool) or watch.is_broken_off, watch.grace)
    left = alive(pool)
    run.is_over = left > 0
    while run.clients and alive(pool):
        for client in tuple(run.clients):
            client.close()
        time.sleep(0.05)
    for thread in pool:
        thread.join(_GRACE)
    wait_for(lambda: threading.active_count() <= before, 2.0)
    gc.collect()
    watch.compare("descriptors", own, memory.descriptors(os.getpid()))
    watch.compare("threads", before, threading.active_count())
    watch.finish(left, theirs)


def alive(pool: list[threading.Thread]) -> int:
    """Return how many of the threads are still there."""
    return sum(thread.is_alive() for thread in pool)


def wait_for(is_so: Callable[[], bool], at_most: float) -> None:
    """Wait until something is so, for some seconds at most."""
    until = time.monotonic() + at_most
    while not is_so() and time.monotonic() < until:
        time.sleep(0.05)
