"""A whole run: which cases play under which profiles, in how many lanes, with which drivers.

It knows drivers that die and must be started again, and backends that stay open after their case
so that a late request is caught. It refuses to know how results are shown.
"""

import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from attrs import define, evolve, field, frozen

from conformance.backend import Backends
from conformance.case import Case
from conformance.conversation import Conversation, Recorder, patiently
from conformance.drive import PROTOCOL, Identity
from conformance.judgement import Play, judge
from conformance.process import DriverUnusable
from conformance.reading import ReadingError
from conformance.specification import PROFILE_NAMES
from conformance.stage import Stage
from conformance.trace import Trace
from conformance.verdict import CaseResult, verdict_of
from conformance.verdict_words import Verdict
from mock_server import ScenarioError

PATIENCE: Final = 5.0
"""Seconds of silence after which nothing more is expected to happen."""
_HELLO_FACTOR: Final = 4
"""The start of a driver, which may have to load a lot, deserves so many times the patience."""


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


@frozen
class Assignment:
    """One case under one profile, with its place in the run."""

    place: int
    case: Case
    profile: str


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
    runner = _Runner(plan, on_result, iter(assignments(plan)))
    async with Backends.opened() as backends:
        async with anyio.create_task_group() as group:
            for _ in range(plan.lanes):
                group.start_soon(_Lane(runner, backends).work)
        results = [runner.results[place].again() for place in sorted(runner.results)]
    if runner.unusable is not None:
        raise runner.unusable
    if runner.identity is None:
        raise DriverUnusable("was never asked anything: no case was chosen")
    return Outcome(
        identity=runner.identity,
        results=results,
        seconds=time.monotonic() - began,
        left=sum(1 for _ in runner.queue),
    )


@frozen
class _Played:
    result: CaseResult
    play: Play

    def again(self) -> CaseResult:
        """Judge once more: a request may have come since the case was closed."""
        if not self.play.trace.events:
            return self.result
        findings = judge(self.play)
        return evolve(self.result, findings=findings, verdict=verdict_of(self.play.case, findings))


@define
class _Runner:
    plan: Plan
    on_result: Callable[[CaseResult], None]
    queue: Iterator[Assignment]
    identity: Identity | None = None
    unusable: DriverUnusable | None = None
    results: dict[int, _Played] = field(factory=dict[int, _Played])
    hung: int = 0

    def next(self) -> Assignment | None:
        """Return what is to be played next, unless there is nothing to play it with."""
        limit = self.plan.give_up_after
        if self.unusable is not None or (limit is not None and self.hung >= limit):
            return None
        wanted = self.plan.wanted
        return next((each for each in self.queue if wanted(each.case)), None)

    def keep(self, assignment: Assignment, played: _Played) -> None:
        """Keep a result and tell whoever follows the run."""
        self.results[assignment.place] = played
        self.hung += bool(played.play.stuck or played.play.unanswered)
        self.on_result(played.result)


@define
class _Lane:
    """Plays one case after the other, with a new driver whenever one is spent."""

    runner: _Runner
    backends: Backends

    async def work(self) -> None:
        """Play assignments until there are none."""
        following = self.runner.next()
        while following is not None:
            assignment = following
            try:
                async with _driver(self.runner.plan) as conversation:
                    self.runner.identity = self.runner.identity or conversation.identity
                    following = await self._play_with(conversation, assignment)
            except DriverUnusable as error:
                if self.runner.identity is None:
                    self.runner.unusable = error
                    return
                self.runner.keep(assignment, _without_driver(assignment, str(error)))
                following = self.runner.next()

    async def _play_with(
        self, conversation: Conversation, assignment: Assignment
    ) -> Assignment | None:
        """Play with one driver as long as it lasts; return what is left to another one."""
        following: Assignment | None = assignment
        while following is not None:
            played = await self._play(following, conversation)
            self.runner.keep(following, played)
            following = self.runner.next()
            if self.runner.plan.isolate or conversation.broken or conversation.unanswered:
                break
        return following

    async def _play(self, assignment: Assignment, conversation: Conversation) -> _Played:
        began = time.monotonic()
        case, profile = assignment.case, assignment.profile
        identity = conversation.identity
        if identity is not None and (lacking := _lacking(identity, case, profile)):
            return _not_played(assignment, Verdict.NOT_APPLICABLE, lacking)
        recorder = Recorder()
        plan = self.runner.plan
        stage = Stage(case, profile, conversation, recorder, plan.patience, plan.rounds)
        try:
            backend = await self.backends.open(case, recorder, conversation.drain)
        except ScenarioError as error:
            return _not_played(assignment, Verdict.ERROR, f"server: {error}")
        logged = conversation.logged
        await stage.play(backend)
        self.backends.release(backend)
        play = Play(
            case=case,
            trace=recorder.trace,
            stuck=stage.stuck,
            unanswered=stage.unanswered,
            broken=conversation.broken,
            endless=stage.runaway,
            log=conversation.log_since(logged),
        )
        findings = judge(play)
        result = CaseResult(
            case=case,
            profile=profile,
            verdict=verdict_of(case, findings),
            findings=findings,
            trace=recorder.trace,
            reason=conversation.log if conversation.broken else "",
            seconds=time.monotonic() - began,
        )
        return _Played(result, play)


@asynccontextmanager
async def _driver(plan: Plan) -> AsyncGenerator[Conversation, None]:
    """Start a driver and let it introduce itself; raises DriverUnusable if it cannot."""
    conversation = Conversation(plan.command)
    conversation.start()
    failure: DriverUnusable | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(conversation.read)
        try:
            await _introduce(conversation, plan.patience * _HELLO_FACTOR)
            yield conversation
        except DriverUnusable as error:
            # Out of the group it would come as an exception group.
            failure = error
        finally:
            await conversation.stop()
    if failure is not None:
        raise failure


async def _introduce(conversation: Conversation, patience: float) -> None:
    recorder = Recorder()
    conversation.listen(recorder)
    conversation.ask("hello", "hello", {"protocol": PROTOCOL})

    def answered() -> bool:
        return recorder.trace.first("hello.settled") is not None

    await patiently(recorder, conversation, patience, answered)
    conversation.introduce(recorder)


def _lacking(identity: Identity, case: Case, profile: str) -> str:
    """Say which profile or capability the driver lacks for a case, or nothing."""
    if profile not in identity.profiles:
        return f"the driver does not declare the profile {profile}"
    missing = sorted(set(case.needs) - identity.capabilities)
    return f"the driver does not declare {', '.join(missing)}" if missing else ""


def _not_played(assignment: Assignment, verdict: Verdict, reason: str) -> _Played:
    trace = Trace()
    result = CaseResult(
        case=assignment.case,
        profile=assignment.profile,
        verdict=verdict,
        findings=(),
        trace=trace,
        reason=reason,
    )
    return _Played(result, Play(case=assignment.case, trace=trace))


def _without_driver(assignment: Assignment, reason: str) -> _Played:
    """Judge a case whose driver could not be started again: it fails, the driver is known."""
    play = Play(case=assignment.case, trace=Trace(), broken=f"the driver {reason}")
    findings = judge(play)
    unplayed = _not_played(assignment, verdict_of(assignment.case, findings), "")
    return _Played(evolve(unplayed.result, findings=findings), play)
