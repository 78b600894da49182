"""Match failures on random schedules to known failures by the broken rule, not by the case."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from attrs import define, field, frozen

from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement
from conformance.explore.oracle import Schedule
from conformance.explore.parting import parting
from conformance.verdict.known_failures import Known
from conformance.verdict.result import CaseResult


@frozen
class Broken:
    """A rule that a client broke on a schedule, with the assertion and the text of the finding."""

    rule: str
    assertion: str
    said: str
    rules: tuple[str, ...] = ()
    """All the rules that may have been broken, if it is uncertain which of them was."""


def broken(schedule: Schedule, result: CaseResult) -> tuple[Broken, ...]:
    """Return a client's breaches on a schedule; empty if the client follows every rule.

    If there is a wrong step, it comes first, followed by breaches of conduct; all other findings
    are left out, because they are consequences of that step.
    """
    if not result.verdict.is_wrong:
        return ()
    first = None if result.findings[0].of_the_driver else parting(schedule, result.trace)
    kept = [each for each in result.findings if each.assertion.startswith("conduct.")]
    if first is None:
        kept = list(result.findings)
    own = [
        Broken(
            next(iter(f.requires), ""), f.assertion, f"expected: {f.expected}; actual: {f.actual}"
        )
        for f in kept
        if first is None or not f.assertion.startswith(("conduct.answer", "conduct.end"))
    ]
    assertion = result.findings[0].assertion
    return tuple(
        own if first is None else [Broken(first.rule, assertion, str(first), first.rules), *own]
    )


def cited(schedule: Schedule, found: Sequence[Broken], rules: Mapping[str, Requirement]) -> str:
    """Return the rule for a schedule's case to cite, or "" if it should cite the default rules."""
    rule = found[0].rule if found else ""
    return rule if rule and schedule.profile in rules[rule].profiles else ""


@define
class PassingOver:
    """Skips schedules on which a client has only known failures, and counts them."""

    _known: Sequence[tuple[Known, frozenset[str]]]
    _places: dict[int, Known] = field(factory=dict[int, Known], init=False)

    @classmethod
    def of(cls, known: Iterable[Known], cases: Iterable[Case]) -> "PassingOver":
        """Return the filter for a baseline; an entry without a rule covers every rule of its case."""
        rules: dict[str, set[str]] = {}
        for case in cases:
            for name in case.names:
                rules.setdefault(name, set()).update(case.requires)
        return cls([(each, frozenset(each.rule or rules.get(each.case, ()))) for each in known])

    @property
    def is_used(self) -> bool:
        """Whether there are any known failures."""
        return bool(self._known)

    def covers(self, profile: str, found: Sequence[Broken]) -> Known | None:
        """Return the entry for the first breach if all breaches are known, or None."""
        entries = [self._entry(profile, each) for each in found]
        return entries[0] if entries and None not in entries else None

    def _entry(self, profile: str, found: Broken) -> Known | None:
        may_be = {found.rule, *found.rules}
        for each, rules in self._known:
            # The assertions of an entry for a case have other names than those of a schedule.
            words = bool(each.case) or each.names(found.assertion)
            if words and not rules.isdisjoint(may_be) and each.holds_under(profile):
                return each
        return None

    def note(self, place: int, known: Known) -> None:
        """Record that the schedule at `place` was skipped because of the entry `known`."""
        self._places[place] = known

    def said(self, before: int) -> Iterator[str]:
        """Yield lines that count, for each entry, the schedules skipped before number `before`."""
        counts: dict[str, int] = {}
        for place, known in sorted(self._places.items()):
            if place < before:
                line = f"{', '.join(known.rule) or known.case}: {known.reason}"
                counts[line] = counts.get(line, 0) + 1
        if counts:
            total = sum(counts.values())
            schedules = "schedule was" if total == 1 else "schedules were"
            yield f"{total} {schedules} skipped because of known failures:"
        for line, number in sorted(counts.items(), key=lambda item: -item[1]):
            yield f"  {number}x {line}"
