"""Plays the cases for backends, several at a time, and cleans up after them."""

from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Final, TypeGuard

import anyio
from anyio.abc import TaskGroup
from attrs import define, evolve, field, frozen

from conformance.backends.account import NotReached, Stop
from conformance.backends.bounds import Amounts, Bounds
from conformance.backends.control import Control, ControlFailed
from conformance.backends.declare import BackendCase
from conformance.backends.ledger import Ledger, OverBudget
from conformance.backends.play import Play
from conformance.backends.shared_jobs import NoJob, cancel_a_job, create_with_keys, follow_a_job
from conformance.backends.supply import Once, Supply
from conformance.backends.target import NOWHERE, Target, fits_a_header
from conformance.backends.wire import Unreachable, Wire, now
from conformance.expect.mismatch import Divergence
from conformance.strict_data import UsageError
from conformance.trace.events import Trace
from conformance.verdict.result import Finding

_PAUSES: Final = (0.0, 0.3, 1.0)
"""How long to wait before each check that the backend is still reachable, in seconds."""
_GIVE_UP: Final = 3
"""The run stops after this many cases in a row that could not connect to the backend."""


@frozen(kw_only=True)
class BackendPlan:
    """What to judge, and how."""

    target: Target
    cases: Sequence[BackendCase]
    bounds: Bounds = field(factory=Bounds)
    amounts: Amounts = field(factory=Amounts)
    lanes: int = 4
    seed: int = 0
    followed: str = ""
    """The id of an existing job to follow; empty if the run creates its own jobs."""
    watch: float = 0.0
    control: Sequence[str] = ()
    """The command line that starts the control program; empty if none was given."""
    note: Callable[[str], None] = lambda _: None
    wanted: Callable[[BackendCase], bool] = lambda _: True
    """Called right before a case starts; returns whether to play it."""


@frozen(kw_only=True, eq=False)
class Played:
    """The result of playing a case once, to be judged under every profile."""

    case: BackendCase
    trace: Trace
    findings: tuple[Finding, ...] = ()
    missed: str = ""
    """Why the case was not judged; empty if it tested its rules or found a breach."""
    lacking: tuple[str, ...] = ()
    """The control commands that the case needs but that are not available in this run."""
    seconds: float = 0.0


@frozen(kw_only=True, eq=False)
class Outcome:
    """The result of a run; the played cases are in the order of the plan."""

    plan: BackendPlan
    target: Target
    """The target at the end of the run; a restart may have changed the backend's address."""
    played: Sequence[Played]
    seconds: float
    stopped: str = ""
    """Why some cases were not played; empty if the run was not stopped early."""
    made: Sequence[str] = ()
    """The ids of the jobs that the run created."""
    left: Sequence[str] = ()
    """Shell commands for cancelling the jobs that the kit could not cancel."""
    notes: Sequence[str] = ()
    implementation: str = ""
    version: str = ""
    words: frozenset[str] = frozenset()
    interrupted: bool = False


@define(eq=False)
class BackendRun:
    """A run in progress."""

    plan: BackendPlan
    on_played: Callable[[Played], None] = lambda _: None
    probe: Callable[[Play], Awaitable[None]] | None = None
    """Checks that there is a backend; raises an exception if there is none."""
    played: dict[str, Played] = field(factory=dict[str, Played], init=False)
    stopped: str = field(default="", init=False)
    ledger: Ledger = field(init=False)
    supply: Supply = field(init=False)
    control: Control | None = field(default=None, init=False)
    notes: list[str] = field(factory=list[str], init=False)
    left: list[str] = field(factory=list[str], init=False)
    _group: TaskGroup = field(init=False)
    _began: float = field(factory=now, init=False)
    _unreachable: int = field(default=0, init=False)
    _ended: float = field(default=0.0, init=False)

    async def play(self, before: Callable[["BackendRun"], Awaitable[None]] | None = None) -> None:
        """Play every case; if nothing can be judged, raise ControlFailed or the error from `probe`.

        `before` is called once the target is known, before any request is sent.
        """
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            self._group = group
            try:
                await self._begin(group, before)
                await self._cases()
            except Exception as error:  # noqa: BLE001 - raised below, outside the task group
                failure = _alone(error)
            finally:
                await self._settle()
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        self._ended = now()

    async def _begin(
        self, group: TaskGroup, before: Callable[["BackendRun"], Awaitable[None]] | None
    ) -> None:
        plan = self.plan
        self.ledger = Ledger(plan.amounts.jobs, plan.note)
        if plan.control:
            self.control = Control(plan.control, patience=plan.bounds.control)
            await self.control.start(group)
            self.plan = plan = evolve(plan, target=_controlled(plan.target, self.control))
        self.supply = Supply(
            target=plan.target,
            seen=Once(lambda: follow_a_job(self._new_play(), plan.watch)),
            cancelled=Once(lambda: cancel_a_job(self._new_play())),
            keyed=Once(lambda: create_with_keys(self._new_play())),
            followed=plan.followed,
        )
        if before is not None:
            await before(self)
        if self.probe is not None:
            await self.probe(self._new_play())

    def _new_play(self) -> Play:
        return Play(
            target=self.supply.target,
            bounds=self.plan.bounds,
            amounts=self.plan.amounts,
            ledger=self.ledger,
            control=self.control,
            supply=self.supply,
            group=self._group,
            random=Random(f"{self.plan.seed}"),  # noqa: S311 - a sample, not a secret
        )

    async def _cases(self) -> None:
        together = [case for case in self.plan.cases if not case.alone]
        together.sort(key=lambda case: (not case.slow, not case.passive))
        waiting = iter(together)

        async def lane() -> None:
            for case in waiting:
                if not self.stopped and self.plan.wanted(case):
                    await self._one(case)

        async with anyio.create_task_group() as lanes:
            for _ in range(self.plan.lanes):
                lanes.start_soon(lane)
        for case in self.plan.cases:
            if case.alone and not self.stopped and self.plan.wanted(case):
                await self._one(case)

    async def _one(self, case: BackendCase) -> None:
        began = now()
        if case.uncontrolled and self.control is not None and self.control.has("job", "emit"):
            missed = "only for runs without a control program"
            self._add(Played(case=case, trace=Trace(), missed=missed))
            return
        lacking = self._lacking(case)
        if lacking:
            missed = f"needs a control program with {_named(lacking)}"
            self._add(Played(case=case, trace=Trace(), missed=missed, lacking=lacking))
            return
        play = self._new_play()
        play.random = Random(f"{self.plan.seed} {case.id}")  # noqa: S311 - a sample
        missed = ""
        try:
            await case.steps(play)
            self._unreachable = 0
        except Exception as error:  # noqa: BLE001 - _missed raises unexpected ones again
            missed = self._missed(case, play, _alone(error))
        finally:
            with anyio.CancelScope(shield=True):
                await play.leave()
        if play.findings and not self.stopped:
            await self._look_whether_it_is_there()
        if self.stopped and (missed or play.findings):
            return  # the case saw the backend disappear, so it does not count
        self.notes += play.notes
        self._add(
            Played(
                case=case,
                trace=play.trace,
                findings=tuple(play.findings),
                missed=missed if not play.findings else "",
                seconds=now() - began,
            )
        )

    def _missed(self, case: BackendCase, play: Play, error: Exception) -> str:
        """Return why a case did not test its rules; empty if it tested them or found a breach."""
        match error:
            case Stop():
                self._unreachable = 0
                return ""
            case NotReached() if error.rule:
                play.findings.append(_kept_from(play, error, case))
                return ""
            case NotReached() | OverBudget():
                return str(error)
            case Unreachable():
                self._lost(error)
                return str(error)
            case ControlFailed() | NoJob():
                self.stopped = self.stopped or str(error)
                return str(error)
            case _:
                raise error

    async def _look_whether_it_is_there(self) -> None:
        """Stop the run if the control program has ended or the backend is unreachable."""
        if self.control is not None and self.control.ended:
            self.stopped = f"the control program {self.control.ended}"
            return
        why = ""
        for pause in _PAUSES:
            await anyio.sleep(pause)
            try:
                wire = await Wire.to(self.supply.target, self.plan.bounds.connect)
            except Unreachable as error:
                why = str(error)
            else:
                await wire.close()
                return
        self.stopped = self.stopped or f"lost the backend: {why}"

    def _lacking(self, case: BackendCase) -> tuple[str, ...]:
        if self.plan.followed and case.words:
            return case.words
        has = self.control.said.words if self.control is not None else frozenset[str]()
        return tuple(word for word in case.words if word not in has)

    def _lost(self, error: Unreachable) -> None:
        """Count a case that could not connect; stop the run after too many such cases in a row."""
        self._unreachable += 1
        if self._unreachable >= _GIVE_UP:
            self.stopped = self.stopped or f"lost the backend: {error}"

    def _add(self, played: Played) -> None:
        self.played[played.case.id] = played
        self.on_played(played)

    async def _settle(self) -> None:
        """Cancel the created jobs and end the control program."""
        with anyio.CancelScope(shield=True):
            if hasattr(self, "supply"):
                self.left = await self.ledger.settle(self.supply.target)
            if self.control is not None:
                await self.control.stop()

    def outcome(self, stopped: str = "") -> Outcome:
        """Return what has been judged so far."""
        said = self.control.said if self.control is not None and not self._never_began else None
        cases = [self.played[case.id] for case in self.plan.cases if case.id in self.played]
        return Outcome(
            plan=self.plan,
            target=self.supply.target,
            played=cases,
            seconds=(self._ended or now()) - self._began,
            stopped=stopped or self.stopped,
            made=list(self.ledger.jobs),
            left=self.left,
            notes=list(dict.fromkeys(self.notes)),
            implementation=said.implementation if said is not None else "",
            version=said.version if said is not None else "",
            words=said.words if said is not None else frozenset(),
        )

    @property
    def _never_began(self) -> bool:
        return not hasattr(self, "supply")


def _kept_from(play: Play, error: NotReached, case: BackendCase) -> Finding:
    """Return the finding for a breach that ended a case before it could test its rules."""
    own = error.rule in case.requires
    last = play.trace.events[-1] if play.trace.events else None
    expected = f"{error.rule} to be kept" if own else "the case to get far enough to test its rules"
    found = Divergence(expected, str(error), last)
    return Finding.of(error.rule, (error.rule,), found, last, not_reached=not own)


def _alone(error: Exception) -> Exception:
    """Return the exception itself, without the exception groups that task groups put around it."""
    while _is_group(error):
        error = max(error.exceptions, key=_weight)
    return error


def _is_group(error: Exception) -> TypeGuard[ExceptionGroup[Exception]]:
    return isinstance(error, ExceptionGroup)


def _weight(error: Exception) -> bool:
    return isinstance(error, Stop | ControlFailed)


def _named(words: Sequence[str]) -> str:
    return f"the command{'s' * (len(words) > 1)} {', '.join(words)}"


def _controlled(target: Target, control: Control) -> Target:
    """Return the target with the control program's values; the user's tokens take precedence."""
    said = control.said
    found = evolve(
        target,
        token=target.token or said.token,
        other_token=target.other_token or said.other_token,
        org=said.org or target.org,
        project=said.project or target.project,
    )
    if not found.token:
        raise ControlFailed("the control program returned no token; set ARKOR_TOKEN")
    for name, token in (("token", found.token), ("other_token", found.other_token)):
        if not fits_a_header(token):
            raise ControlFailed(f"the {name} from the control program cannot be sent in a header")
    if said.base_url:
        try:
            return found.at(said.base_url)
        except UsageError as error:
            raise ControlFailed(
                f"the control program returned an invalid base_url: {error.problem}"
            ) from error
    if found.address == NOWHERE:
        raise ControlFailed(
            "the control program returned no base_url; give the address with --base-url"
        )
    return found
