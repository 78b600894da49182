"""Turn the cases that were played into a verdict for each profile, as is done for clients."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.backends.declare import FAMILIES, BackendCase
from conformance.backends.run import Outcome, Played
from conformance.casefile.model import Case
from conformance.casefile.requirements import PROFILE_NAMES, Level, Requirement
from conformance.diagnosis.causes import Beginning, Cause, Failure, first_cited
from conformance.diagnosis.diagnose import Diagnosis, rank_of
from conformance.verdict.claim import Claim, Rank, not_played
from conformance.verdict.result import CaseResult, Finding, verdict_of
from conformance.verdict.scope import Scope
from conformance.verdict.standing import Standing, Tally
from conformance.verdict.statuses import Verdict

NOT_REACHED: Final = "not reached"
"""The `kind` of a failure where the backend broke another rule before the case got to its own."""


def as_cases(
    cases: Sequence[BackendCase],
    requirements: Mapping[str, Requirement],
    profiles: Sequence[str] = PROFILE_NAMES,
) -> Sequence[Case]:
    """Return the cases in the form that reports use: each case once for every profile it is in."""
    found = [each.under(name, requirements) for name in profiles for each in cases]
    return [case for case in found if case is not None]


def results_of(
    outcome: Outcome,
    requirements: Mapping[str, Requirement],
    profiles: Sequence[str],
    *,
    strict: bool = False,
) -> Sequence[CaseResult]:
    """Return a result for each case and profile, although each case was played only once."""
    secrets = outcome.target.secrets
    found = (
        _result(each, name, requirements, secrets, strict=strict)
        for name in profiles
        for each in outcome.played
    )
    return [result for result in found if result is not None]


def _result(
    played: Played,
    profile: str,
    requirements: Mapping[str, Requirement],
    secrets: tuple[str, ...],
    *,
    strict: bool,
) -> CaseResult | None:
    case = played.case.under(profile, requirements)
    if case is None:
        return None

    def binding(rule: str) -> bool:
        return requirements[rule].fails(profile, strict=strict)

    findings = tuple(
        finding
        for finding in played.findings
        if all(profile in requirements[rule].profiles for rule in finding.requires)
    )
    missed = played.missed
    if not findings and played.findings:
        if any(finding.not_reached for finding in played.findings):
            missed = played.findings[0].actual
        elif not set(case.requires) - {r for f in played.findings for r in f.requires}:
            missed = (
                missed
                or "each failed check also cites a rule that does not apply under this profile"
            )
    return CaseResult(
        case=case,
        profile=profile,
        verdict=Verdict.NOT_APPLICABLE if missed else verdict_of(findings, binding),
        findings=() if missed else findings,
        trace=played.trace,
        reason=missed,
        seconds=played.seconds,
        lacking=played.lacking,
        secrets=secrets,
    )


def claim_of(
    profile: str, results: Sequence[CaseResult], counted: Tally, scope: Scope, stopped: str
) -> Claim:
    """Return the claim for a profile: the verdict, and the parts of the protocol that it covers."""
    counts = Counter(result.verdict for result in results)
    unplayed = max(0, scope.chosen.get(profile, len(results)) - len(results))
    early = not_played(unplayed, scope.chosen.get(profile, 0), stopped) if unplayed else ""
    if any(result.verdict.fails for result in results):
        words = f"{Rank.FAILS.value}; not judged in full: {early}" if early else Rank.FAILS.value
        return Claim(rank=Rank.FAILS, words=words, unplayed=unplayed)
    if early:
        return Claim(rank=Rank.PARTIAL, words=f"{Rank.PARTIAL.value}: {early}", unplayed=unplayed)
    if counts[Verdict.NOT_APPLICABLE] == len(results):
        return Claim(rank=Rank.NOTHING_RAN, words=Rank.NOTHING_RAN.value)
    return _shown(profile, results, counted, scope, counts[Verdict.KNOWN_FAILURE])


def _shown(
    profile: str, results: Sequence[CaseResult], counted: Tally, scope: Scope, known: int
) -> Claim:
    judged = [r for r in results if r.verdict is not Verdict.NOT_APPLICABLE]
    musts = {result.case.family for result in results if result.case.level is Level.MUST}
    played = {r.case.family for r in judged if r.case.level is Level.MUST}
    played |= {r.case.family for r in judged if r.case.family not in musts}
    holds = tuple(name for name in FAMILIES if name in played)
    about = {result.case.family for result in results}
    lacks = [f"no {name}" for name in FAMILIES if name in about - played]
    missed = counted.of(Level.MUST, Standing.NOT_JUDGED)
    if missed:
        rules = ", ".join(rule.removeprefix("ARK-") for rule in missed)
        lacks.append(f"not judged: {rules}")
    narrowed = scope.narrowed(profile)
    rank = Rank.IN_PART if lacks or narrowed else Rank.CONFORMS
    words = ["conforms"]
    if narrowed:
        words.append(f"in the cases chosen ({scope.chosen[profile]}/{scope.total[profile]})")
    elif lacks:
        words.append(f"for: {', '.join(holds)}")
    if lacks:
        words.append(f"({'; '.join(lacks)})")
    if known:
        rank = Rank.KNOWN_FAILURES
        words.append(f"except for {known} known failure{'s' * (known > 1)}")
    return Claim(rank=rank, words=" ".join(words), holds=holds, lacks=tuple(lacks))


def diagnosis_of(
    results: Sequence[CaseResult], requirements: Mapping[str, Requirement]
) -> Diagnosis:
    """Group the failures by the rule that the backend breaks; put the most important rule first."""
    found = list(_failures(results))
    rank = rank_of(requirements)
    groups: dict[str, list[Failure]] = {}
    for each in found:
        groups.setdefault(each.rule, []).append(each)
    for own in groups.values():
        own.sort(key=lambda each: (each.verdict is Verdict.WARN, each.begins.kind == NOT_REACHED))
    causes = [Cause(rule=rule, failures=tuple(own), alike=1) for rule, own in groups.items()]
    causes.sort(key=lambda cause: (not cause.fails, rank(cause.rule), -len(cause.failures)))
    return Diagnosis(causes=tuple(causes), failures=tuple(found))


def _failures(results: Sequence[CaseResult]) -> Iterator[Failure]:
    for place, result in enumerate(results):
        if not result.verdict.is_wrong or not result.findings:
            continue
        yield Failure(
            place=place,
            play=result.name,
            rule=first_cited(result),
            verdict=result.verdict,
            begins=_beginning(result.case.id, result.findings[0]),
        )


def _beginning(case: str, finding: Finding) -> Beginning:
    """Return how a failure begins; the text follows "the backend" and says which rule it broke."""
    broken = f"breaks {', '.join(finding.requires)}"
    if finding.not_reached:
        said = f"{broken}, so {case} could not judge its own rule: {finding.actual}"
        return Beginning(kind=NOT_REACHED, said=said)
    said = f"{broken} in {case}: expected {finding.expected}; got {finding.actual}"
    return Beginning(kind=f"{case} {finding.assertion}", said=said)
