"""Playing one case with one driver: from the assignment to the result.

It knows what makes a case not applicable, and puts stage, backend and judgement together. It
refuses to know which cases there are and in which order they come.
"""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from attrs import define, evolve, frozen

from conformance.backend import Backends
from conformance.case import Case
from conformance.case_words import PROBED
from conformance.conversation import Conversation, Recorder, patiently
from conformance.drive import PROTOCOL, Identity
from conformance.judgement import Play, judge
from conformance.probe_words import Stack
from conformance.process import DriverUnusable
from conformance.stage import Stage
from conformance.timing import Adapted, TimeMode, Timing
from conformance.trace import Trace
from conformance.verdict import CaseResult, verdict_of
from conformance.verdict_words import Verdict
from mock_server import ScenarioError

_HELLO_FACTOR: Final = 4
"""The start of a driver, which may have to load a lot, deserves so many times the patience."""


@frozen
class Assignment:
    """One case under one profile, with its place in the run."""

    place: int
    case: Case
    profile: str


@frozen
class Played:
    """A result, and the play that it was judged from."""

    result: CaseResult
    play: Play

    def again(self) -> CaseResult:
        """Judge once more: a request may have come since the case was closed."""
        if not self.play.trace.events:
            return self.result
        findings = judge(self.play)
        return evolve(self.result, findings=findings, verdict=verdict_of(self.play.case, findings))


@define
class Player:
    """Plays assignments with the drivers of one client, all in the same time."""

    backends: Backends
    identity: Identity
    timing: Timing
    patience: float
    rounds: int = 1
    stack: Stack | None = None

    async def play(self, assignment: Assignment, conversation: Conversation) -> Played:
        """Play one case, unless it does not apply."""
        adapted = self.timing.adapt(assignment.case)
        why = adapted.unplayable or self._lacking(adapted.case)
        if assignment.profile not in self.identity.profiles:
            why = f"the driver does not declare the profile {assignment.profile}"
        if why:
            return _not_played(assignment, Verdict.NOT_APPLICABLE, why)
        try:
            return await self._play(evolve(assignment, case=adapted.case), adapted, conversation)
        except ScenarioError as error:
            return _not_played(assignment, Verdict.ERROR, f"server: {error}")

    async def _play(
        self, assignment: Assignment, adapted: Adapted, conversation: Conversation
    ) -> Played:
        began = time.monotonic()
        case, recorder, logged = assignment.case, Recorder(), conversation.logged
        patience = self.patience + adapted.silence
        stage = Stage(case, assignment.profile, conversation, recorder, patience, self.rounds)
        backend = await self.backends.open(case, recorder, conversation.drain)
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
            profile=assignment.profile,
            verdict=verdict_of(case, findings),
            findings=findings,
            trace=recorder.trace,
            reason=conversation.log if conversation.broken else "",
            seconds=time.monotonic() - began,
            unjudged=adapted.unjudged,
        )
        return Played(result, play)

    def _lacking(self, case: Case) -> str:
        """Say which capability the driver or the stack under it lacks for a case, or nothing."""
        missing = sorted(set(case.needs) - self.identity.capabilities - set(PROBED))
        if missing:
            return f"the driver does not declare {', '.join(missing)}"
        unseen = [need for need in case.needs if need in PROBED]
        return "" if self.stack is None else self.stack.lacking(unseen)


@asynccontextmanager
async def driver_of(
    command: Sequence[str], patience: float, mode: TimeMode | None
) -> AsyncGenerator[Conversation, None]:
    """Start a driver and let it introduce itself; raises DriverUnusable if it cannot."""
    conversation = Conversation(command)
    conversation.start()
    failure: DriverUnusable | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(conversation.read)
        try:
            await _introduce(conversation, patience * _HELLO_FACTOR, mode or TimeMode.VIRTUAL)
            yield conversation
        except DriverUnusable as error:
            # Out of the group it would come as an exception group.
            failure = error
        finally:
            await conversation.stop()
    if failure is not None:
        raise failure


async def _introduce(conversation: Conversation, patience: float, mode: TimeMode) -> None:
    recorder = Recorder()
    conversation.listen(recorder)
    conversation.ask("hello", "hello", {"protocol": PROTOCOL, "time": mode.value})
    began = time.monotonic()

    def answered() -> bool:
        return recorder.trace.first("hello.settled") is not None

    await patiently(recorder, conversation, patience, answered)
    conversation.introduce(recorder, time.monotonic() - began)


def _not_played(assignment: Assignment, verdict: Verdict, reason: str) -> Played:
    trace = Trace()
    result = CaseResult(
        case=assignment.case,
        profile=assignment.profile,
        verdict=verdict,
        findings=(),
        trace=trace,
        reason=reason,
    )
    return Played(result, Play(case=assignment.case, trace=trace))


def without_driver(assignment: Assignment, reason: str) -> Played:
    """Judge a case whose driver could not be started again: it fails, the driver is known."""
    play = Play(case=assignment.case, trace=Trace(), broken=f"the driver {reason}")
    findings = judge(play)
    unplayed = _not_played(assignment, verdict_of(assignment.case, findings), "")
    return Played(evolve(unplayed.result, findings=findings), play)
