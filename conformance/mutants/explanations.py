"""Check that the kit finds out why clients with one or two faults fail.

Each broken client plays at least one case about every rule, and one case of every template about
the rules that it breaks. Each case is played under only one profile. The causes in the report must
match the rules that the client breaks. The client is first removed from the record of broken
clients, so that it is not recognised by its own entry.

One fault may hide another: a client that never opens the stream cannot show how it parses events.
So a fault in a pair counts only if it was reached: at least one play must fail in the same way as
for the recorded client with only this fault.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, permutations
from random import Random
from typing import Final

from attrs import evolve, frozen

from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement
from conformance.diagnosis.broken_clients import BrokenClient, Fails, broken_clients, play_of
from conformance.diagnosis.causes import Cause, Failure, causes, failures, passed_plays
from conformance.diagnosis.diagnose import REFERENCE, rank_of
from conformance.drive.process import DriverUnusable
from conformance.drivers import own
from conformance.mutants import Mutant
from conformance.runner.run import Outcome, Plan, run
from conformance.verdict.result import CaseResult
from conformance.verdict.statuses import Verdict

_STARTS: Final = 3
_MOST_HUNG: Final = 24
"""A run stops once the broken client has hung in cases of this many templates."""


@frozen(kw_only=True)
class Fault:
    """The evidence for one fault in the failures of a client with two faults."""

    mutant: Mutant
    alone: int
    """Of the client's plays, the number that a client with only this fault fails."""
    shown: tuple[Failure, ...]
    """The failures that match those of a client with only this fault."""

    @property
    def reached(self) -> bool:
        """Whether at least one failure shows this fault."""
        return bool(self.shown)


@frozen
class Explanation:
    """The causes that the kit found for a client with one or two faults."""

    mutants: tuple[Mutant, ...]
    causes: tuple[Cause, ...]
    faults: tuple[Fault, ...] = ()
    """The evidence for each fault; empty unless the client has two faults."""

    @property
    def right(self) -> bool:
        """Whether the first cause is right; for two faults, whether each has a cause of its own."""
        if len(self.mutants) == 1:
            return bool(self.causes) and _is_about(self.causes[0].rule, self.mutants[0])
        return any(
            all(_is_about(cause.rule, each) for cause, each in zip(some, self.mutants, strict=True))
            for some in permutations(self.causes, len(self.mutants))
        )

    @property
    def reached(self) -> bool:
        """Whether each fault shows in at least one failure."""
        return all(each.reached for each in self.faults)

    @property
    def hint(self) -> str:
        """Whether the first cause's hint, a recorded client that fails in a similar way, is right.

        "right" if both clients break at least one common rule, "wrong" if they do not, and
        "unknown" if there is no hint.
        """
        like = self.causes[0].resembles if self.causes else None
        if like is None:
            return "unknown"
        return "right" if any(set(like.breaks) & set(m.breaks) for m in self.mutants) else "wrong"

    def why(self) -> str:
        """Return, in one line, why a pair does not count or is unexplained, or "" otherwise."""
        unseen = [_unseen(each) for each in self.faults if not each.reached]
        if unseen or self.right:
            return "; ".join(unseen)
        missed = [each for each in self.faults if not self._lists(each.mutant)]
        return "; ".join(map(self._missed, missed)) or "one cause covers both faults"

    def _lists(self, mutant: Mutant) -> bool:
        return any(_is_about(cause.rule, mutant) for cause in self.causes)

    def _missed(self, fault: Fault) -> str:
        first = fault.shown[0]
        under = next(cause for cause in self.causes if first in cause.failures)
        return (
            f"{fault.mutant.name} has no cause of its own: its failures, such as {first.play}, are "
            f"listed under {under.rule or 'a cause without a rule'}"
        )


def _unseen(fault: Fault) -> str:
    reached = f"{fault.mutant.name} was not reached"
    if not fault.alone:
        return f"{reached}: a client with only this fault passes all the cases played"
    plays = "1 play" if fault.alone == 1 else f"{fault.alone} plays"
    return (
        f"{reached}: a client with only this fault fails {plays}, but this client does not fail "
        f"{'it' if fault.alone == 1 else 'them'} in the same way"
    )


def _is_about(rule: str, mutant: Mutant) -> bool:
    return rule in mutant.breaks or rule in mutant.follows


def one_of_each_template(cases: Sequence[Case]) -> Sequence[Case]:
    """Return the first case of each template, each under one profile; rotate through the profiles."""
    first: dict[str, Case] = {}
    for case in cases:
        first.setdefault(case.template, case)
    return [
        evolve(case, profiles=(case.profiles[n % len(case.profiles)],))
        for n, case in enumerate(first.values())
    ]


def sample(cases: Sequence[Case], mutants: Sequence[Mutant]) -> Sequence[Case]:
    """Return every case about a rule that the mutants break, plus at least one per other rule."""
    own = {rule for mutant in mutants for rule in mutant.breaks}
    seen: set[str] = set()
    chosen: list[Case] = []
    for case in cases:
        if own & set(case.requires) or not seen >= set(case.requires):
            chosen.append(case)
        seen |= set(case.requires)
    return chosen


@frozen(kw_only=True)
class Explainer:
    """Plays broken clients and finds the causes of their failures."""

    cases: Sequence[Case]
    requirements: Mapping[str, Requirement]
    references: Mapping[str, CaseResult]
    patience: float
    lanes: int

    @classmethod
    async def prepared(
        cls,
        cases: Sequence[Case],
        requirements: Mapping[str, Requirement],
        patience: float,
        lanes: int,
    ) -> "Explainer":
        """Play the cases with the reference client; return an explainer or raise DriverUnusable."""
        chosen = one_of_each_template(cases)
        outcome = await run(Plan(command=REFERENCE, cases=chosen, patience=patience, lanes=lanes))
        references = {result.name: result for result in outcome.results}
        return cls(
            cases=chosen,
            requirements=requirements,
            references=references,
            patience=patience,
            lanes=lanes,
        )

    async def explain(self, *mutants: Mutant) -> Explanation:
        """Return the causes found for a client with these faults, or raise DriverUnusable."""
        outcome = await self._play(mutants)
        names = {each.name for each in mutants}
        known = [each for each in broken_clients() if each.name not in names]
        found = failures(outcome.results, self.references)
        passed = passed_plays(outcome.results)
        explained = causes(found, passed, rank_of(self.requirements), known)
        if len(mutants) == 1:
            return Explanation(mutants, explained)
        alone = {each.name: each for each in broken_clients()}
        faults = (shown_of(each, alone[each.name], found, outcome.results) for each in mutants)
        return Explanation(mutants, explained, tuple(faults))

    async def recorded(self, mutant: Mutant) -> BrokenClient:
        """Play a mutant and return its entry for the record, or raise DriverUnusable."""
        outcome = await self._play((mutant,))
        found = failures(outcome.results, self.references)
        return entry(mutant, found, whole=not outcome.stopped)

    async def _play(self, mutants: Sequence[Mutant]) -> Outcome:
        """Play the cases, with retries because a driver may start too slowly on a busy machine."""
        plan = Plan(
            command=own("mutants.driver", *(each.name for each in mutants)),
            cases=sample(self.cases, mutants),
            patience=self.patience,
            lanes=self.lanes,
            strict=True,
            max_hung=_MOST_HUNG,
        )
        for _ in range(_STARTS - 1):
            try:
                return await run(plan)
            except DriverUnusable:
                continue
        return await run(plan)


def shown_of(
    mutant: Mutant, alone: BrokenClient, found: Sequence[Failure], results: Sequence[CaseResult]
) -> Fault:
    """Return the fault of `mutant`, with the failures in `found` that are evidence for it.

    `alone` is the recorded client with only this fault. A failure in a play that `alone` also
    fails is evidence if both failures begin with the same kind of step, or if this failure cites
    the rule that the failure of `alone` cites first.
    """

    def shows(failure: Failure) -> bool:
        fails = alone.fails.get(failure.play)
        if fails is None:
            return False
        cited = {rule for each in results[failure.place].findings for rule in each.requires}
        return fails.kind == failure.begins.kind or fails.rule in cited

    played = {play_of(each.case.id, each.profile) for each in results}
    own = len(played & alone.fails.keys())
    return Fault(mutant=mutant, alone=own, shown=tuple(filter(shows, found)))


def entry(mutant: Mutant, found: Sequence[Failure], *, whole: bool) -> BrokenClient:
    """Return a mutant's entry for the record; `whole` means that it played all its cases."""
    return BrokenClient(
        name=mutant.name,
        what=mutant.what,
        breaks=mutant.breaks,
        whole=whole,
        fails={
            each.play: Fails(each.begins.kind, each.rule, warns=each.verdict is Verdict.WARN)
            for each in found
        },
    )


def drawn_pairs(
    mutants: Sequence[Mutant], number: int, seed: int
) -> Sequence[tuple[Mutant, Mutant]]:
    """Draw `number` pairs of mutants that break no rule in common, or as many as there are."""
    pairs = [
        (one, other)
        for one, other in combinations(mutants, 2)
        if not set(one.breaks) & set(other.breaks)
    ]
    return Random(seed).sample(pairs, min(number, len(pairs)))  # noqa: S311 - a sample, not a secret
