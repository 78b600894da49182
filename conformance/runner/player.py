"""Play one case with one driver and return its result.

The player gives a case its nonces and a backend, and judges the result. It skips a case that does
not apply.
"""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from attrs import define, evolve, field, frozen

from conformance.casefile.attached import NeedsCreate, attached
from conformance.casefile.loader import filled
from conformance.casefile.model import Case
from conformance.casefile.nonces import Draw, Nonces, draw
from conformance.casefile.requirements import Requirement, is_newer, load_requirements
from conformance.drive.connection import DriverConnection
from conformance.drive.patience import patiently
from conformance.drive.process import DriverSilent, DriverUnusable
from conformance.drive.protocol import PROTOCOL, Identity
from conformance.drive.recorder import Recorder
from conformance.runner.backend import Backends
from conformance.runner.case_run import CaseRun
from conformance.runner.stack import Stack
from conformance.trace.events import Trace
from conformance.verdict.judge import judge
from conformance.verdict.result import CaseResult, Play, does_not_apply, verdict_of
from conformance.verdict.statuses import Verdict
from conformance.verdict.time_modes import Adapted, TimeMode, Timing
from conformance.words import CREATE, PROBED, VIRTUAL_CLOCK
from mock_server import ScenarioError

ASLEEP: Final = (
    f"the driver announces sleeps but does not declare {VIRTUAL_CLOCK}, so the kit does not end them; "
    f"declare {VIRTUAL_CLOCK}, or really sleep without announcing it"
)
FOLLOWS: Final = (
    f"the driver declares attach but not {CREATE}, so cases are played in attached form, on jobs "
    f"that already exist; declare {CREATE} too if its client submits jobs"
)
_HELLO_FACTOR: Final = 4
"""Start-up limit for a silent driver, which may have a lot to load, as a multiple of the patience."""
_HELLO_MOST: Final = 8
"""Start-up limit for any driver, even on a busy machine, as a multiple of the patience."""


@frozen
class Assignment:
    """One case under one profile, with its position in the run."""

    place: int
    case: Case
    profile: str


@frozen
class Rules:
    """The rules that count in a run; with `strict`, proposals count under every profile."""

    known: Mapping[str, Requirement] = field(factory=load_requirements)
    strict: bool = False
    version: str = ""
    """Ignore rules that are newer than this specification version; if empty, all rules count."""

    def judged(self, result: CaseResult, play: Play) -> CaseResult:
        """Judge a play under these rules; return `result` with the verdict and the findings."""
        if why := does_not_apply(play):
            return evolve(result, verdict=Verdict.NOT_APPLICABLE, reason=why, findings=())

        def binding(rule: str) -> bool:
            requirement = self.known[rule]
            newer = bool(self.version) and is_newer(requirement.since, self.version)
            return requirement.fails(play.profile, strict=self.strict) and not newer

        findings = judge(play)
        return evolve(result, verdict=verdict_of(findings, binding), findings=findings)


@frozen
class Played:
    """A result, with the play that was judged and the rules that applied."""

    result: CaseResult
    play: Play
    rules: Rules
    hung: bool = False
    """Whether the case ended only because the client went silent."""

    def again(self) -> CaseResult:
        """Judge the play again, because a request may have arrived after the case was closed."""
        if not self.play.trace.events:
            return self.result
        return self.rules.judged(self.result, self.play)


@define
class Player:
    """Plays assignments with the drivers of one client, all in one time mode."""

    backends: Backends
    identity: Identity
    timing: Timing
    patience: float
    rounds: int = 1
    stack: Stack | None = None
    rules: Rules = field(factory=Rules)
    draw: Draw = draw
    attached: bool = False
    """Whether cases are played in attached form, even though the client can create jobs."""

    async def play(self, assignment: Assignment, connection: DriverConnection) -> Played:
        """Play one case, unless it does not apply."""
        nonces = Nonces(self.draw(), str(assignment.case.config.get("token", "")))
        try:
            follows = self.attached or self.identity.follows_only
            case = attached(assignment.case) if follows else assignment.case
        except NeedsCreate as error:
            why = f"{_undeclared([CREATE])}: {error}"
            return self._not_played(assignment, Verdict.NOT_APPLICABLE, why, (CREATE,))
        adapted = self.timing.adapt(filled(case, nonces))
        lacking = self._lacking(adapted.case)
        why = adapted.unplayable or _undeclared(lacking) or self._unseen(adapted.case)
        if assignment.profile not in self.identity.profiles:
            why = f"the driver does not declare the profile {assignment.profile}"
        if why:
            return self._not_played(assignment, Verdict.NOT_APPLICABLE, why, lacking)
        try:
            return await self._play(assignment, adapted, nonces, connection)
        except ScenarioError as error:
            return self._not_played(assignment, Verdict.ERROR, f"server: {error}")

    async def _play(
        self, assignment: Assignment, adapted: Adapted, nonces: Nonces, connection: DriverConnection
    ) -> Played:
        began = time.monotonic()
        case, profile = adapted.case, assignment.profile
        recorder, logged = Recorder(), connection.logged
        patience = self.patience + adapted.silence
        case_run = CaseRun(case, profile, connection, recorder, patience, self.rounds)
        backend = await self.backends.open(case, nonces, recorder, connection.drain)
        await case_run.play(backend)
        self.backends.release(backend)
        play = Play(
            case=case,
            profile=profile,
            trace=recorder.trace,
            stuck=case_run.stuck,
            unanswered=case_run.unanswered,
            broken=connection.broken,
            endless=case_run.runaway,
            log=connection.log_since(logged),
        )
        if case_run.hung and connection.announced:
            unplayed = self._not_played(assignment, Verdict.ERROR, ASLEEP)
            return evolve(unplayed, hung=True)
        result = CaseResult(
            case=case,
            profile=profile,
            verdict=Verdict.PASS,
            findings=(),
            trace=recorder.trace,
            reason=connection.log if connection.broken else "",
            seconds=time.monotonic() - began,
            unjudged=adapted.unjudged,
            nonces=nonces,
            endless=case_run.runaway,
        )
        return Played(self.rules.judged(result, play), play, self.rules, case_run.hung)

    def waits(self, assignment: Assignment) -> float:
        """Estimate how many seconds a correct client sleeps in a case; 0 if it does not apply."""
        case = assignment.case
        declared = {*self.identity.capabilities, VIRTUAL_CLOCK, *PROBED}
        applies = assignment.profile in self.identity.profiles and declared.issuperset(case.needs)
        return self.timing.waits(case) if applies else 0.0

    def _lacking(self, case: Case) -> tuple[str, ...]:
        """Return the capabilities that a case needs but the driver does not declare."""
        return tuple(sorted(set(case.needs) - self.identity.capabilities - set(PROBED)))

    def _unseen(self, case: Case) -> str:
        """Return why a case does not apply to the client's HTTP stack, or "" if it applies."""
        needs = [need for need in case.needs if need in PROBED]
        return "" if self.stack is None else self.stack.lacking(needs)

    def _not_played(
        self, assignment: Assignment, verdict: Verdict, reason: str, lacking: tuple[str, ...] = ()
    ) -> Played:
        unplayed = _unplayed(assignment, verdict, reason, lacking)
        return Played(unplayed, _nothing(assignment), self.rules)

    def without_driver(self, assignment: Assignment, error: DriverUnusable) -> Played:
        """Fail a case whose driver could not be restarted, although it had worked before."""
        play = evolve(_nothing(assignment), broken=f"the driver {error}")
        unplayed = self.rules.judged(_unplayed(assignment, Verdict.FAIL, ""), play)
        return Played(unplayed, play, self.rules, hung=isinstance(error, DriverSilent))


def _undeclared(lacking: Sequence[str]) -> str:
    return f"the driver does not declare {', '.join(lacking)}" if lacking else ""


@asynccontextmanager
async def driver_of(
    command: Sequence[str], patience: float, mode: TimeMode | None
) -> AsyncGenerator[DriverConnection, None]:
    """Start a driver and send it `hello`; raise DriverUnusable if that fails."""
    connection = DriverConnection(command)
    connection.start()
    failure: DriverUnusable | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(connection.read)
        try:
            await _introduce(connection, patience, mode or TimeMode.VIRTUAL)
            yield connection
        except DriverUnusable as error:
            # Raised inside the task group, it would arrive as an exception group.
            failure = error
        finally:
            await connection.stop()
    if failure is not None:
        raise failure


async def _introduce(connection: DriverConnection, patience: float, mode: TimeMode) -> None:
    recorder = Recorder()
    connection.listen(recorder)
    connection.ask("hello", "hello", {"protocol": PROTOCOL, "time": mode.value})
    began = time.monotonic()

    def answered() -> bool:
        return recorder.trace.first("hello.settled") is not None

    silence, most = patience * _HELLO_FACTOR, patience * _HELLO_MOST
    await patiently(recorder, connection, silence, answered, most=most)
    connection.introduce(recorder, time.monotonic() - began)


def _unplayed(
    assignment: Assignment, verdict: Verdict, reason: str, lacking: tuple[str, ...] = ()
) -> CaseResult:
    return CaseResult(
        case=assignment.case,
        profile=assignment.profile,
        verdict=verdict,
        findings=(),
        trace=Trace(),
        reason=reason,
        lacking=lacking,
    )


def _nothing(assignment: Assignment) -> Play:
    return Play(case=assignment.case, profile=assignment.profile, trace=Trace())
