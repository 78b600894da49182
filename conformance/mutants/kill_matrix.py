"""Check that the kit catches every mutant, and for the right reason.

The reason is right if a finding cites a requirement that the mutant violates.

Every mutant plays every case about the requirements that it violates, under one profile after
another until the case catches it. So the matrix has a row per mutant and a column per case. Many
mutants hang, and most of the time is spent waiting for them, so the time limit is short. To show
that the limit is long enough for this machine, the reference client plays the same cases between
the mutants, with the same limit, and must pass.

Some kills are flaky: the network may join chunks that the backend sent separately, which hides
a fault in how a client handles separate chunks. So if only a few cases have caught no mutant, they
are played again.
"""

import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from typing import Final

import anyio
from attrs import define, evolve, field, frozen

from conformance.casefile.model import Case
from conformance.casefile.selection import in_turn
from conformance.drive.process import DriverUnusable
from conformance.drivers import own
from conformance.mutants import Mutant
from conformance.runner.run import Outcome, Plan, run
from conformance.verdict.result import CaseResult, Finding
from conformance.verdict.statuses import Verdict

PATIENCE: Final = 0.5
"""Seconds of silence after which a mutant counts as hung; if too low, the control runs fail."""
_STARTS: Final = 3
_ROUNDS: Final = 5
"""How many times to replay uncaught mutants, and cases that caught no mutant.

On a busy machine, separate chunks may arrive as one, which hides some faults.
"""
_FEW: Final = 12
"""Replay at most this many cases; if more have caught no mutant, flakiness is not the reason."""


@frozen
class Kill:
    """A case that, under one profile, catches a mutant.

    `right` tells whether the finding cites a rule that the mutant breaks.
    """

    result: CaseResult
    finding: Finding
    right: bool


@frozen
class Trial:
    """The result for one mutant.

    `wrong_reason` lists the kills whose findings cite no rule that the mutant breaks.
    """

    mutant: Mutant
    kills: Sequence[Kill]
    wrong_reason: Sequence[Kill]
    played: int
    unusable: str = ""

    @property
    def caught(self) -> bool:
        """Whether at least one case catches the mutant for the right reason."""
        return bool(self.kills)


@frozen
class Control:
    """The result for the reference client in one family of cases."""

    family: str
    failed: Sequence[CaseResult]
    played: int
    unusable: str = ""

    @property
    def passed(self) -> bool:
        """Whether the reference client passed all cases of the family."""
        return not self.failed and not self.unusable


@frozen
class KillMatrix:
    """The results for all mutants, in the order given."""

    trials: Sequence[Trial]
    controls: Sequence[Control]
    seconds: float
    again: Sequence[Case] = ()
    """The cases that were played again."""

    @property
    def survivors(self) -> Sequence[Trial]:
        """The mutants that no case catches for the right reason."""
        return [each for each in self.trials if not each.caught]

    def idle(self, cases: Sequence[Case]) -> Iterator[Case]:
        """Return the members of `cases` that catch no mutant."""
        return _idle(cases, self.trials)


def _idle(cases: Iterable[Case], trials: Iterable[Trial]) -> Iterator[Case]:
    useful = {kill.result.case.id for each in trials for kill in each.kills}
    return (case for case in cases if case.id not in useful)


def about(mutant: Mutant, cases: Sequence[Case]) -> Sequence[Case]:
    """Return the cases about the requirements that a mutant violates."""
    return [case for case in cases if set(case.requires) & set(mutant.breaks)]


def _about_any(mutants: Sequence[Mutant], cases: Iterable[Case]) -> Iterator[Case]:
    broken = {rule for mutant in mutants for rule in mutant.breaks}
    return (case for case in cases if broken & set(case.requires))


async def kill_matrix(
    mutants: Sequence[Mutant],
    cases: Sequence[Case],
    on_end: Callable[[Trial | Control], None],
    *,
    lanes: int = 2,
    patience: float = PATIENCE,
    enough: bool = False,
    attached: bool = False,
) -> KillMatrix:
    """Play each mutant in the cases about rules it breaks, and the reference client in all those.

    With `enough`, a mutant that has been caught plays only cases that have not caught any mutant
    yet, and the reference client plays each case under only one profile. With `attached`, every
    case is played in its attached form (see `casefile.attached`).
    """
    began = time.monotonic()
    trials_of = _Trials(cases, on_end, patience, enough, attached)
    await _in_lanes(trials_of.work(mutants), lanes)
    again = trials_of.doubtful(mutants)
    for _ in range(_ROUNDS):
        await _in_lanes(trials_of.another_round(mutants, trials_of.doubtful(mutants)), lanes=1)
    return KillMatrix(
        [trials_of.trials[mutant.name] for mutant in mutants],
        trials_of.controls,
        time.monotonic() - began,
        again,
    )


async def _in_lanes(work: Iterator[Callable[[], Awaitable[None]]], lanes: int) -> None:
    async def lane() -> None:
        for each in work:
            await each()

    async with anyio.create_task_group() as group:
        for _ in range(lanes):
            group.start_soon(lane)


@define
class _Trials:
    cases: Sequence[Case]
    on_end: Callable[[Trial | Control], None]
    patience: float
    enough: bool
    attached: bool
    useful: set[str] = field(factory=set[str])
    trials: dict[str, Trial] = field(factory=dict[str, Trial])
    controls: list[Control] = field(factory=list[Control])

    def work(self, mutants: Sequence[Mutant]) -> Iterator[Callable[[], Awaitable[None]]]:
        """Yield a function to play each mutant, with the control runs spread evenly among them."""
        families: dict[str, list[Case]] = {}
        for case in _about_any(mutants, self.cases):
            families.setdefault(case.family, []).append(case)
        stride = -(-len(mutants) // max(len(families), 1))
        parts = [mutants[start : start + stride] for start in range(0, len(mutants), stride)]
        for part, family in zip_longest(parts, families):
            for mutant in part or ():
                yield partial(self._try, mutant)
            if family is not None:
                yield partial(self._control, family, families[family])

    def doubtful(self, mutants: Sequence[Mutant]) -> Sequence[Case]:
        """Return the cases that should catch a mutant but caught none; return () if too many."""
        idle = list(_about_any(mutants, _idle(self.cases, self.trials.values())))
        return idle if len(idle) <= _FEW else ()

    def another_round(
        self, mutants: Sequence[Mutant], cases: Sequence[Case]
    ) -> Iterator[Callable[[], Awaitable[None]]]:
        """Yield, for each mutant, a function that replays the members of `cases` about it.

        If only a few mutants are uncaught, each of them replays all the cases about it instead,
        because some mutants are caught only if an abort happens at a certain moment.
        """
        left = [mutant for mutant in mutants if not self.trials[mutant.name].caught]
        for mutant in mutants:
            few = len(left) <= _FEW and mutant in left
            if chosen := about(mutant, self.cases if few else cases):
                yield partial(self._try_again, mutant, chosen)

    async def _try(self, mutant: Mutant) -> None:
        found = self.trials[mutant.name] = await self._play(mutant, about(mutant, self.cases))
        self.on_end(found)

    async def _try_again(self, mutant: Mutant, cases: Sequence[Case]) -> None:
        before, found = self.trials[mutant.name], await self._play(mutant, cases)
        self.trials[mutant.name] = evolve(
            before, kills=[*before.kills, *found.kills], played=before.played + found.played
        )

    async def _play(self, mutant: Mutant, cases: Sequence[Case]) -> Trial:
        caught = set[str]()

        def note(result: CaseResult) -> None:
            kill = _kill(mutant, result)
            if kill is not None and kill.right:
                caught.add(result.case.id)
                self.useful.add(result.case.id)

        def wanted(case: Case) -> bool:
            spare = self.enough and bool(caught) and case.id in self.useful
            return case.id not in caught and not spare

        plan = Plan(
            command=own("mutants.driver", mutant.name),
            cases=cases,
            patience=self.patience,
            wanted=wanted,
            attached=self.attached,
        )
        try:
            outcome = await _run(plan, note)
        except DriverUnusable as error:
            return Trial(mutant, (), (), 0, str(error))
        kills = [kill for result in outcome.results if (kill := _kill(mutant, result))]
        return Trial(
            mutant,
            [kill for kill in kills if kill.right],
            [kill for kill in kills if not kill.right],
            len(outcome.results),
        )

    async def _control(self, family: str, cases: Sequence[Case]) -> None:
        if self.enough:
            cases = in_turn(cases)
        plan = Plan(
            command=own("drivers.python.reference"),
            cases=cases,
            patience=self.patience,
            attached=self.attached,
        )
        try:
            outcome = await _run(plan)
        except DriverUnusable as error:
            control = Control(family, (), 0, str(error))
        else:
            failed = [each for each in outcome.results if each.verdict is not Verdict.PASS]
            control = Control(family, failed, len(outcome.results))
        self.controls.append(control)
        self.on_end(control)


async def _run(plan: Plan, note: Callable[[CaseResult], None] = lambda _: None) -> Outcome:
    """Run a plan; try again if the driver is unusable, as a busy machine may start it too late."""
    for _ in range(_STARTS - 1):
        with contextlib.suppress(DriverUnusable):
            return await run(plan, note)
    return await run(plan, note)


def _kill(mutant: Mutant, result: CaseResult) -> Kill | None:
    """Return a kill with the first finding that cites a rule the mutant breaks, or else the first.

    Return None if the case reported no problem.
    """
    if result.verdict not in {Verdict.FAIL, Verdict.WARN, Verdict.INCONCLUSIVE}:
        return None
    for finding in result.findings:
        if set(finding.requires) & set(mutant.breaks):
            return Kill(result, finding, right=True)
    return Kill(result, result.findings[0], right=False)
