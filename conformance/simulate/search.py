"""Simulate many jobs, and shrink the faults of one that breaks a promise."""

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random

from attrs import evolve, field, frozen

from arkor_proto import HARDENED, Profile
from conformance.simulate.faults import Faults, drawn, renumbered
from conformance.simulate.promises import Violated
from conformance.simulate.world import JobTime, Sessions, World, real


@frozen(kw_only=True)
class Search:
    """What is simulated: a number of jobs under one profile, each with faults of its own."""

    seed: int = 0
    jobs: int = 100
    first: int = 0
    """The number of the first job; a job is the same in every search of a seed."""
    profile: Profile = HARDENED
    time: JobTime = field(factory=JobTime)
    sessions: Sessions = real

    def faults(self, number: int) -> Faults:
        """Return the faults of a job."""
        random = Random(f"{self.seed} {number} {self.profile.name}")
        return drawn(random, self.profile, self.time.events, self.time.seconds)

    def world(self, number: int, faults: Faults) -> World:
        """Return a job with these faults; what is left to chance depends on its number alone."""
        name = f"{self.seed} {number}"
        return World(faults, name, self.profile, self.time, self.sessions)

    def broken(self, number: int, faults: Faults) -> str:
        """Return the promise that a job with these faults breaks; empty if it keeps them all."""
        try:
            self.world(number, faults).run()
        except Violated as violated:
            return str(violated)
        return ""


@frozen(kw_only=True)
class Found:
    """A job that broke a promise, and the fewest faults with which it still breaks one."""

    number: int
    faults: Faults
    shrunk: Faults
    why: str


@frozen(kw_only=True)
class Searched:
    """What came of a search."""

    search: Search
    jobs: int
    hours: float
    """Hours that the jobs took, in virtual time."""
    inputs: int
    opens: int
    faults: int
    seconds: float
    found: Found | None = None

    @property
    def job_hours_a_second(self) -> float:
        """How many hours of jobs were simulated in a second."""
        return self.hours / self.seconds if self.seconds else 0.0


def searched(search: Search, on_job: Callable[[], None] = lambda: None) -> Searched:
    """Simulate jobs until one breaks a promise."""
    began = time.monotonic()
    jobs, hours, inputs, opens, happened = 0, 0.0, 0, 0, 0
    found = None
    while found is None and jobs < search.jobs:
        number = search.first + jobs
        faults = search.faults(number)
        jobs += 1
        happened += len(faults)
        try:
            world = search.world(number, faults).run()
        except Violated:
            found = shrunk(search, number, faults)
        else:
            hours += world.now / 3600
            inputs += world.inputs
            opens += world.opens
        on_job()
    return Searched(
        search=search,
        jobs=jobs,
        hours=hours,
        inputs=inputs,
        opens=opens,
        faults=happened,
        seconds=time.monotonic() - began,
        found=found,
    )


def shrunk(search: Search, number: int, faults: Faults) -> Found:
    """Take out every fault, and make every value smaller, that is not needed to break a promise."""
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
        yield renumbered((*faults[:place], *faults[place + 1 :]))
    for place, fault in enumerate(faults):
        if fault.kind.place == "open" and fault.value > 1 and fault.word != "status":
            less = evolve(fault, value=float(int(fault.value / 2)))
            yield (*faults[:place], less, *faults[place + 1 :])


def in_words(faults: Sequence[object]) -> str:
    """Return faults as a sentence's end."""
    return "; ".join(map(str, faults)) or "no fault at all"
