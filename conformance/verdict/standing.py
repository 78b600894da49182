"""Determine the result of each rule under one profile.

A rule is broken if a finding cites it, or known to be broken if only known failures cite it. A case
that stops before it reaches the rule it tests does not judge that rule. Of the other rules, those
that a case judged hold; the rest are reported as not judged.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum

from attrs import frozen

from conformance.casefile.requirements import Level, Requirement, is_newer
from conformance.casefile.sources import SourceKind
from conformance.verdict.result import CaseResult
from conformance.verdict.scope import Scope
from conformance.verdict.statuses import Verdict


class Standing(Enum):
    """The result of a rule under one profile."""

    BROKEN = "broken"
    KNOWN = "known to be broken"
    HOLDS = "holds"
    NOT_JUDGED = "not judged"


@frozen(kw_only=True)
class Tally:
    """The results of all rules under one profile.

    `because` maps each broken rule to the number of cases that could not judge their own rule
    because of it.
    """

    rules: Mapping[str, Standing]
    broken: Mapping[str, frozenset[str]]
    """For each broken rule, the cases whose findings cite it; known failures are left out."""
    because: Mapping[str, int]
    not_reached: int
    unruled: int
    """The number of failed cases for which no rule is cited.

    In these, the driver or the control program itself failed.
    """
    requirements: Mapping[str, Requirement]
    counts: Callable[[str], bool]
    """Tells whether a rule counts under this profile, which depends on the rule's source."""

    def of(self, level: Level, standing: Standing) -> tuple[str, ...]:
        """Return the rules of this level that have this result and count under the profile."""
        return tuple(
            rule
            for rule, found in self.rules.items()
            if found is standing and self.requirements[rule].level is level and self.counts(rule)
        )

    @property
    def musts(self) -> frozenset[str]:
        """The MUST rules that count under this profile."""
        return frozenset(
            rule.id
            for rule in self.requirements.values()
            if rule.level is Level.MUST and self.counts(rule.id)
        )

    @property
    def apart(self) -> tuple[str, ...]:
        """The broken rules that do not count here, such as proposals without `--strict`."""
        return tuple(rule for rule in self.broken if not self.counts(rule))

    def cases(self, rules: Sequence[str]) -> int:
        """Return the number of cases that break at least one of these rules."""
        return len({case for rule in rules for case in self.broken[rule]})

    @property
    def sources(self) -> Mapping[str, int]:
        """The number of broken rules, by kind of source."""
        found = Counter(self.requirements[rule].source.kind for rule in self.broken)
        kinds = [kind for kind in SourceKind if kind is not SourceKind.OBSERVED or found[kind]]
        return {kind.value: found[kind] for kind in kinds}


def tally(
    profile: str,
    results: Sequence[CaseResult],
    requirements: Mapping[str, Requirement],
    scope: Scope,
) -> Tally:
    """Determine the result of each rule from the results of the cases under one profile."""

    def counts(rule: str) -> bool:
        return requirements[rule].counts(profile, strict=scope.strict)

    def known_then(rule: str) -> bool:
        known = requirements[rule]
        return known.level is not Level.MAY and not is_newer(known.since, scope.version)

    broken = {rule: cases for rule, cases in _broken(results).items() if known_then(rule)}
    missed = [each for each in results if any(found.not_reached for found in each.findings)]
    reasons = Counter(
        rule
        for result in missed
        for rule in dict.fromkeys(r for f in result.findings if f.not_reached for r in f.requires)
    )
    return Tally(
        rules={
            rule: standing
            for rule, standing in _rules(results, broken, requirements).items()
            if known_then(rule)
        },
        broken=broken,
        because=dict(reasons.most_common()),
        not_reached=len(missed),
        unruled=sum(result.verdict.fails and not _cited(result) for result in results),
        requirements=requirements,
        counts=counts,
    )


def judged_rules(result: CaseResult) -> frozenset[str]:
    """Return the rules that a case judged, whether it found them kept or broken."""
    cut_short = any(finding.cut_short for finding in result.findings)
    if result.verdict is Verdict.NOT_APPLICABLE or cut_short:
        return _cited(result)
    if result.verdict is Verdict.ERROR:
        return frozenset()
    own = {rule for each in result.case.expect for rule in each.requires}
    return frozenset(own or result.case.requires) | _cited(result)


def _rules(
    results: Sequence[CaseResult],
    broken: Mapping[str, frozenset[str]],
    requirements: Mapping[str, Requirement],
) -> Mapping[str, Standing]:
    about = {rule for result in results for rule in result.case.requires} | set(broken)
    known = {
        rule
        for result in results
        if result.verdict is Verdict.KNOWN_FAILURE
        for rule in _cited(result)
    }
    judged = {rule for result in results for rule in judged_rules(result)}
    return {
        rule: _standing(rule, broken, known, judged)
        for rule in requirements
        if rule in about | known
    }


def _standing(
    rule: str, broken: Mapping[str, frozenset[str]], known: set[str], judged: set[str]
) -> Standing:
    if rule in broken:
        return Standing.BROKEN
    if rule in known:
        return Standing.KNOWN
    return Standing.HOLDS if rule in judged else Standing.NOT_JUDGED


def _broken(results: Sequence[CaseResult]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for result in results:
        if result.verdict is not Verdict.KNOWN_FAILURE:
            for rule in _cited(result):
                found.setdefault(rule, set()).add(result.case.id)
    return {rule: frozenset(found[rule]) for rule in sorted(found)}


def _cited(result: CaseResult) -> frozenset[str]:
    return frozenset(rule for finding in result.findings for rule in finding.requires)


def unjudged_musts(results: Sequence[CaseResult], tallies: Mapping[str, Tally]) -> Iterator[str]:
    """Yield the MUST rules that these cases test but that, under some profile, no case judged."""
    found = {
        rule
        for result in results
        if result.profile in tallies
        for rule in result.case.requires
        if tallies[result.profile].rules.get(rule) is Standing.NOT_JUDGED
        and tallies[result.profile].requirements[rule].level is Level.MUST
    }
    yield from sorted(found)
