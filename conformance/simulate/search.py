"""Simulate many jobs; if one breaks a promise, reduce its faults to those that matter."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from random import Random

from attrs import define, evolve, field, frozen

from arkor_proto import HARDENED, Profile
from conformance.simulate.faults import Fault, Faults, Kind, Source, drawn, renumbered
from conformance.simulate.promises import Violated
from conformance.simulate.world import JobTime, Sessions, World, real


@frozen(kw_only=True)
class Search:
    """The options of a search. All its jobs use one profile, and each has its own faults."""

    seed: int = 0
    jobs: int = 100
    first: int = 0
    """The number of the first job.

    With the same `seed`, `profile` and `time`, a number always means the same job.
    """
    profile: Profile = HARDENED
    time: JobTime = field(factory=JobTime)
    sessions: Sessions = real

    def faults(self, number: int) -> Faults:
        """Return the faults drawn for the job with this number."""
        random = Random(f"{self.seed} {number} {self.profile.name}")
        return drawn(random, self.profile, self.time.events, self.time.seconds)

    def world(self, number: int, faults: Faults) -> World:
        """Return a simulated job with these faults, which leave its other random choices alone."""
        name = f"{self.seed} {number}"
        return World(faults, name, self.profile, self.time, self.sessions)

    def broken(self, number: int, faults: Faults) -> str:
        """Return the promise that the job breaks under these faults; empty if it breaks none."""
        try:
            self.world(number, faults).run()
        except Violated as violated:
            return str(violated)
        return ""


@frozen(kw_only=True)
class Found:
    """A job that broke a promise, and a reduced set of faults with which it still breaks one."""

    number: int
    faults: Faults
    shrunk: Faults
    why: str


@define(kw_only=True)
class Searched:
    """The result of a search."""

    search: Search
    jobs: int = 0
    hours: float = 0.0
    """The total duration of all jobs, in hours of virtual time."""
    inputs: int = 0
    opens: int = 0
    faults: Counter[Kind] = field(factory=Counter[Kind])
    """The number of injected faults of each kind."""
    seconds: float = 0.0
    found: Found | None = None

    @property
    def job_hours_a_second(self) -> float:
        """The hours of virtual time that were simulated per second of real time."""
        return self.hours / self.seconds if self.seconds else 0.0

    def injected(self, source: Source) -> int:
        """Return how many of the injected faults come from this source."""
        return sum(count for kind, count in self.faults.items() if kind.source is source)


def searched(search: Search, on_job: Callable[[], None] = lambda: None) -> Searched:
    """Simulate the jobs one by one; stop at the first that breaks a promise."""
    began = time.monotonic()
    result = Searched(search=search)
    while result.found is None and result.jobs < search.jobs:
        number = search.first + result.jobs
        faults = search.faults(number)
        world = search.world(number, faults)
        try:
            world.run()
        except Violated:
            result.found = shrunk(search, number, faults)
        result.jobs += 1
        result.hours += world.now / 3600
        result.inputs += world.inputs
        result.opens += world.opens
        result.faults.update(each.kind for each in world.happened)
        on_job()
    result.seconds = time.monotonic() - began
    return result


def shrunk(search: Search, number: int, faults: Faults) -> Found:
    """Remove faults and reduce values as long as the job still breaks a promise."""
    best = faults
    smaller = True
    while smaller:
        smaller = False
        for candidate in _smaller(best):
            if search.broken(number, candidate):
                best, smaller = candidate, True
                break
    return Found(number=number, faults=faults, shrunk=best, why=search.broken(number, best))


def _smaller(faults: Faults) -> Iterator[Faults]:
    half = len(faults) // 2
    if half > 1:
        yield from (renumbered(faults[:half]), renumbered(faults[half:]))
    for place in range(len(faults)):
        others = (*faults[:place], *faults[place + 1 :])
        yield renumbered(others)
        yield others
    for place, fault in enumerate(faults):
        for less in _lesser(fault):
            if less.at == fault.at or all(less.at != each.at for each in faults):
                yield tuple(sorted((*faults[:place], less, *faults[place + 1 :])))


def _lesser(fault: Fault) -> Iterator[Fault]:
    """Yield the fault with a smaller value, and then at an earlier place, where possible."""
    if fault.value >= 1 and fault.kind is not Kind.STATUS:
        yield evolve(fault, value=float(int(fault.value / 2)))
    if fault.at > 1 and fault.kind.place in {"event", "second"}:
        yield evolve(fault, at=float(int(fault.at / 2)))


def in_words(faults: Sequence[object]) -> str:
    """Return the faults as a phrase that can end a sentence."""
    return "; ".join(map(str, faults)) or "no faults"
