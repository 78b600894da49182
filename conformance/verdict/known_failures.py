# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""Known failures: cases that a client is known to fail, with a reason and an optional end date.

An entry is stale if the client no longer fails or fails in fewer ways, if the case does not exist,
if its date has passed, or if the entry names a template, which also covers cases that pass. The
caller passes in today's date.

An entry names a case, or a rule that the client breaks. An entry with only a rule matches failures
on random schedules, which have no permanent names. It does not match the kit's cases, because a
rule covers too many of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from conformance.casefile.model import Case
from conformance.casefile.requirements import PROFILE_NAMES, Requirement
from conformance.strict_data import Json, read_text, read_toml
from conformance.verdict.result import CaseResult, Finding
from conformance.verdict.statuses import Verdict
from mock_server.strict.alternatives import converted, matching, one_or_more, restricted
from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import ScenarioError, array, check_known, nearest, one_of, text
from mock_server.strict.words import needed, table, word

_MOST_STALE: Final = 30
"""The maximum number of stale entries to report."""
_LONGEST_ID: Final = 200


def _date(written: str, where: str) -> date:
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ScenarioError(
            f"{where}: {written!r} is not a date; write it like '2026-12-31'"
        ) from None


_RULE: Final = matching("ARK-[A-Z]{3}-[0-9]{1,3}", "a rule, such as 'ARK-RES-2'")
UNSAID: Final = "TODO"
"""How a reason begins if the user still has to write it."""
DATE: Final = restricted(converted(text(), _date), {"format": "date"})


@frozen(kw_only=True)
class Known:
    """A case that the client is known to fail, or rules that it breaks on random schedules.

    If `profile` or `assertion` is set, the entry covers only the profiles or assertions in it.
    """

    case: str = word(text(), "the id of the case, or of its template", default="")
    reason: str = needed(text(), "why the client fails the case")
    profile: tuple[str, ...] = word(
        one_or_more(one_of(PROFILE_NAMES)),
        "the profiles under which the case fails [default: all]",
        default=(),
    )
    assertion: tuple[str, ...] = word(
        one_or_more(text()), "the assertions that fail [default: any]", default=()
    )
    rule: tuple[str, ...] = word(
        one_or_more(_RULE),
        "the rules that the client breaks; for the commands explore and diff, which play no cases",
        default=(),
    )
    expires: date | None = word(DATE, "the last day on which the failure is accepted", default=None)
    by: str = "the baseline"
    """Where the entry is defined, for use in messages."""

    def covers(self, result: CaseResult, finding: Finding) -> bool:
        """Return whether a finding is this known failure."""
        return self.is_about(result) and self.names(finding.assertion)

    def names(self, assertion: str) -> bool:
        """Return whether the entry covers an assertion."""
        return not self.assertion or assertion in self.assertion

    def is_about(self, result: CaseResult) -> bool:
        """Return whether the entry covers the case and the profile of a result."""
        return self.case in result.case.names and self.holds_under(result.profile)

    def holds_under(self, profile: str) -> bool:
        """Return whether the entry applies to a profile."""
        return not self.profile or profile in self.profile

    @property
    def unsaid(self) -> bool:
        """Whether the user still has to write the reason."""
        return self.reason.startswith(UNSAID)

    def plain(self) -> Mapping[str, Json]:
        """Return the entry as plain data, with the keys that a baseline file uses."""
        words: Mapping[str, Json] = {
            "case": self.case,
            "profile": list(self.profile),
            "assertion": list(self.assertion),
            "rule": list(self.rule),
            "expires": "" if self.expires is None else self.expires.isoformat(),
        }
        return {"reason": self.reason, **{name: said for name, said in words.items() if said}}

    def __str__(self) -> str:
        profile = f" under {', '.join(self.profile)}" if self.profile else ""
        what = self.case or ", ".join(self.rule)
        return f"{what}{profile}" + (f", {', '.join(self.assertion)}" if self.assertion else "")


@frozen
class Weighed:
    """The results, with known failures marked, and the lines about stale entries."""

    results: Sequence[CaseResult]
    stale: Sequence[str]


def _check_subject(known: Known, where: str) -> None:
    if not known.case and not known.rule:
        raise ScenarioError(f"{where}: has neither 'case' nor 'rule'; add one of them", at=where)


@frozen(kw_only=True)
class _Baseline:
    known: tuple[Known, ...] = word(
        array(table(Known, "a known failure", _check_subject)), "the known failures", default=()
    )


BASELINE: Final = table(_Baseline, "known failures")


def read_baseline(path: Path, rules: Mapping[str, Requirement]) -> tuple[Known, ...]:
    """Read a baseline file; if it is invalid, raise a ReadingError that lists all mistakes."""

    def read(file: Mapping[str, Json]) -> tuple[Known, ...]:
        known, mistakes = BASELINE.read(file, "").known, Mistakes()
        for n, each in enumerate(known, 1):
            for rule in each.rule:
                with mistakes.collected():
                    check_known(rule, tuple(rules), f"known {n}.rule")
        mistakes.settle()
        return known

    return read_toml(path.name, read_text(path), read)


def declared(gaps: Mapping[str, str]) -> tuple[Known, ...]:
    """Return the known failures that a driver declares in `declared_gaps`."""
    by = "the driver's declared_gaps"
    return tuple(Known(case=case, reason=reason, by=by) for case, reason in gaps.items())


def weigh(
    results: Sequence[CaseResult], known: Sequence[Known], cases: Sequence[Case], today: date
) -> Weighed:
    """Mark the known failures among the results; `cases` holds every case, selected or not."""
    named: dict[str, list[Known]] = {}
    for each in known:
        named.setdefault(each.case, []).append(each)
    marked = [
        _marked(result, [each for name in result.case.names for each in named.get(name, ())])
        for result in results
    ]
    stale = list(_stale(results, known, cases, today))
    more = len(stale) - _MOST_STALE
    return Weighed(marked, [*stale[:_MOST_STALE], *([f"and {more} more like these"] * (more > 0))])


def _marked(result: CaseResult, known: Sequence[Known]) -> CaseResult:
    covered = [
        next((each for each in known if each.covers(result, finding)), None)
        for finding in result.findings
    ]
    reasons = [each.reason for each in covered if each is not None]
    if not result.findings or len(reasons) < len(result.findings):
        return result
    return evolve(result, verdict=Verdict.KNOWN_FAILURE, reason=reasons[0])


def _stale(
    results: Sequence[CaseResult], known: Sequence[Known], cases: Sequence[Case], today: date
) -> Iterator[str]:
    ids = {case.id for case in cases}
    templates = {case.template for case in cases} - ids
    every = ids | templates
    ran_of: dict[str, list[CaseResult]] = {}
    for result in results:
        for name in result.case.names if result.verdict is not Verdict.NOT_APPLICABLE else ():
            ran_of.setdefault(name, []).append(result)
    for n, each in enumerate(known):
        ran = [r for r in ran_of.get(each.case, ()) if each.is_about(r)]
        if each.case not in every and each.case:
            # Finding the nearest name is slow, so only the first entries get one.
            near = nearest(each.case[:_LONGEST_ID], every) if n < _MOST_STALE else "as above"
            yield f"{each}: no such case; {near} ({each.by})"
        elif each.expires is not None and each.expires < today:
            advice = "fix the failure or set a later date"
            yield f"{each}: expired on {each.expires}; {advice} ({each.reason})"
        elif ran and not any(each.covers(r, finding) for r in ran for finding in r.findings):
            other = dict.fromkeys(finding.assertion for r in ran for finding in r.findings)
            but = f", though the case still fails on {', '.join(other)}" if other else ""
            yield f"{each}: passes now{but}; remove the entry from {each.by} ({each.reason})"
        elif (still := narrowed(each, ran)) != each:
            advice = f"narrow the entry in {each.by}"
            yield f"{each}: is now limited to {still}; {advice} ({each.reason})"
        elif each.case in templates:
            yield _too_wide(each, ran, cases)


def narrowed(known: Known, ran: Sequence[CaseResult]) -> Known:
    """Return an entry, narrowed to the profiles and assertions with which its case still fails.

    `ran` holds the results of the entry's case. Profiles and assertions that were not judged are
    kept. If none would be left, the entry is returned unchanged.
    """
    failing = [(r, f) for r in ran for f in r.findings if known.covers(r, f)]
    judged = {r.profile for r in ran}
    profiles = judged - {r.profile for r, _ in failing}
    kept = tuple(each for each in known.profile if each not in profiles)
    unseen = {each.word for r in ran for each in r.unjudged}
    seen = {f.assertion for _, f in failing}
    words = known.assertion
    if judged.issuperset(known.profile or PROFILE_NAMES):
        words = tuple(each for each in words if each in seen | unseen)
    if (known.profile and not kept) or (known.assertion and not words):
        return known
    return evolve(known, profile=kept, assertion=words)


def _too_wide(known: Known, ran: Sequence[CaseResult], cases: Sequence[Case]) -> str:
    """Return a message that an entry names a template; it lists the cases to name instead."""
    rows = sum(case.template == known.case for case in cases)
    failing = dict.fromkeys(
        r.case.id for r in ran for finding in r.findings if known.covers(r, finding)
    )
    names = f": {', '.join(failing)}" if failing else ""
    return (
        f"{known}: is a template, which covers all of its {rows} cases, even those that pass; "
        f"in {known.by}, name only the cases that fail{names}"
    )
