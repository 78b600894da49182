"""A whole run: which cases play under which profiles, in how many lanes, with which drivers.

It knows drivers that die and must be started again, and that a request may come late: every result
is judged again when the run is over. It refuses to know how results are shown.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import anyio
from attrs import define, field, frozen

from conformance.backend import Backends
from conformance.case import Case
from conformance.conversation import Conversation
from conformance.drive import Identity
from conformance.playing import Assignment, Played, Player, driver_of, without_driver
from conformance.probe import probe, worth_probing
from conformance.probe_words import Stack
from conformance.process import DriverUnusable
from conformance.reading import ReadingError
from conformance.specification import PROFILE_NAMES
from conformance.timing import IN_VIRTUAL_TIME, TimeMode, Timing
from conformance.verdict import CaseResult

PATIENCE: Final = 5.0
"""Seconds of silence after which nothing more is expected to happen."""


@frozen(kw_only=True)
class Plan:
    """What is to run. `isolate` starts a new driver process for every case."""

    command: Sequence[str]
    cases: Sequence[Case]
    profiles: Sequence[str] = PROFILE_NAMES
    lanes: int = 1
    isolate: bool = False
    patience: float = PATIENCE
    give_up_after: int | None = None
    """After so many cases that hung the rest is not played: it would only take time."""
    rounds: int = 1
    """Round trips between a sleep and its automatic wake: more of them catch more eagerness."""
    time: TimeMode | None = None
    """Whose time to judge by; None: virtual where the driver has it, else scaled."""
    note: Callable[[str], None] = lambda _: None
    """Called with what a reader should know before the first result."""
    wanted: Callable[[Case], bool] = lambda _: True
    """Asked right before a case is played: one that is not wanted any more is left out."""


@frozen(kw_only=True)
class Outcome:
    """What a run came to, in the order of the catalogue, profile by profile.

    `left` counts what was not played because too many cases had hung.
    """

    identity: Identity
    results: Sequence[CaseResult]
    seconds: float
    left: int = 0
    timing: Timing = IN_VIRTUAL_TIME
    stack: Stack | None = None
    """What the start-up probe found, if a case needed it."""


def assignments(plan: Plan) -> Sequence[Assignment]:
    """Return everything that is to run, profile by profile."""
    chosen = (
        (case, profile)
        for profile in plan.profiles
        for case in plan.cases
        if profile in case.profiles
    )
    return [Assignment(place, case, profile) for place, (case, profile) in enumerate(chosen)]


async def run(plan: Plan, on_result: Callable[[CaseResult], None]) -> Outcome:
    """Play a plan; raises DriverUnusable when there is no driver to speak to."""
    if not math.isfinite(plan.patience):
        raise ReadingError("patience", f"{plan.patience} is no number of seconds; 5 would be right")
    began = time.monotonic()
    chosen = assignments(plan)
    runner = _Runner(plan, on_result, iter(chosen))
    async with Backends.opened(len(chosen), plan.note) as backends:
        async with anyio.create_task_group() as group:
            for _ in range(plan.lanes):
                group.start_soon(_Lane(runner, backends).work)
        results = [runner.results[place].again() for place in sorted(runner.results)]
    if runner.unusable is not None:
        raise runner.unusable
    if runner.player is None:
        raise DriverUnusable("was never asked anything: no case was chosen")
    return Outcome(
        identity=runner.player.identity,
        results=results,
        seconds=time.monotonic() - began,
        left=sum(1 for _ in runner.queue),
        timing=runner.player.timing,
        stack=runner.player.stack,
    )


@define
class _Runner:
    plan: Plan
    on_result: Callable[[CaseResult], None]
    queue: Iterator[Assignment]
    player: Player | None = None
    """How every lane plays; the first driver that says hello decides."""
    unusable: DriverUnusable | None = None
    results: dict[int, Played] = field(factory=dict[int, Played])
    hung: int = 0
    beginning: anyio.Lock = field(factory=anyio.Lock)

    def next(self) -> Assignment | None:
        """Return what is to be played next, unless there is nothing to play it with."""
        limit = self.plan.give_up_after
        if self.unusable is not None or (limit is not None and self.hung >= limit):
            return None
        wanted = self.plan.wanted
        return next((each for each in self.queue if wanted(each.case)), None)

    def keep(self, assignment: Assignment, played: Played) -> None:
        """Keep a result and tell whoever follows the run."""
        self.results[assignment.place] = played
        self.hung += bool(played.play.stuck or played.play.unanswered)
        self.on_result(played.result)

    async def begin(self, conversation: Conversation, backends: Backends) -> Player:
        """Settle with the first driver how to play; raises DriverUnusable."""
        async with self.beginning:
            if self.player is None:
                identity = conversation.introduced()
                timing = Timing.of(self.plan.time, identity)
                player = Player(
                    backends, identity, timing, self.plan.patience, rounds=self.plan.rounds
                )
                if worth_probing(self.plan.cases):
                    player.stack = await probe(player, conversation, self.plan.profiles)
                    self.plan.note(str(player.stack))
                self.player = player
            return self.player


@define
class _Lane:
    """Plays one case after the other, with a new driver whenever one is spent."""

    runner: _Runner
    backends: Backends

    async def work(self) -> None:
        """Play assignments until there are none."""
        following = self.runner.next()
        plan = self.runner.plan
        while following is not None:
            assignment = following
            try:
                async with driver_of(plan.command, plan.patience, plan.time) as conversation:
                    first = self.runner.player is None
                    player = await self.runner.begin(conversation, self.backends)
                    if first and (conversation.broken or conversation.unanswered):
                        continue  # the probe has worn it out
                    following = await self._play_with(player, conversation, assignment)
            except DriverUnusable as error:
                if self.runner.player is None:
                    self.runner.unusable = error
                    return
                self.runner.keep(assignment, without_driver(assignment, str(error)))
                following = self.runner.next()

    async def _play_with(
        self, player: Player, conversation: Conversation, assignment: Assignment
    ) -> Assignment | None:
        """Play with one driver as long as it lasts; return what is left to another one."""
        following: Assignment | None = assignment
        while following is not None:
            self.runner.keep(following, await player.play(following, conversation))
            following = self.runner.next()
            if self.runner.plan.isolate or conversation.broken or conversation.unanswered:
                break
        return following
