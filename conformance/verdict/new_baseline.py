"""Create a baseline, which lists a run's failures as known failures; the user adds the reasons.

Entries of an earlier baseline are kept, with their reasons, unless their cases now pass or do not
exist.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from attrs import frozen

from conformance.casefile.model import Case
from conformance.casefile.requirements import PROFILE_NAMES, Requirement
from conformance.plain import cut, one_line
from conformance.verdict.known_failures import UNSAID, Known, narrowed
from conformance.verdict.result import CaseResult, Finding
from conformance.verdict.statuses import Verdict
from mock_server.strict.toml import toml_value

_REASON: Final = f"{UNSAID}: why is this accepted, and until when?"
_LONGEST: Final = 160
_HEAD: Final = """\
# The known failures of {name}, written by `arkor-conformance run --write-baseline`.
# In each `reason`, write why the failure is accepted, and add a date to entries that should
# expire: expires = "2026-12-31". `rule` is for explore and diff, which skip breaches of these rules.
# To update this file: run --baseline FILE --write-baseline FILE. Reasons and dates are kept, comments
# are not.
"""


@frozen
class Renewed:
    """The entries kept from an earlier baseline, those added, and those dropped."""

    kept: Sequence[Known]
    new: Sequence[Known]
    dropped: Sequence[Known]

    @property
    def known(self) -> Sequence[Known]:
        """The entries of the new baseline, sorted by case."""
        return sorted([*self.kept, *self.new], key=_order)


def renew(
    earlier: Sequence[Known],
    gaps: Sequence[Known],
    results: Sequence[CaseResult],
    cases: Sequence[Case],
) -> Renewed:
    """Return the entries of the baseline after a run.

    `gaps` are the known failures that the driver declares; `cases` are all the cases of the kit. An
    entry whose case was not played is kept.
    """
    names = {name for case in cases for name in case.names}
    ran = [each for each in results if each.verdict is not Verdict.NOT_APPLICABLE]
    left = [(each, _left(each, ran, names)) for each in earlier]
    kept = [each for _, each in left if each is not None]
    new = list(_new(ran, [*kept, *gaps]))
    return Renewed(kept, new, [each for each, remains in left if remains is None])


def _left(known: Known, ran: Sequence[CaseResult], names: set[str]) -> Known | None:
    if not known.case:
        return known
    if known.case not in names:
        return None
    own = [each for each in ran if known.is_about(each)]
    if own and not any(known.covers(each, found) for each in own for found in each.findings):
        return None
    return narrowed(known, own)


def _new(ran: Sequence[CaseResult], known: Sequence[Known]) -> Iterator[Known]:
    """Yield entries for failures not yet known: one for each case and set of failed assertions."""
    about: dict[str, list[Known]] = {}
    for each in known:
        about.setdefault(each.case, []).append(each)
    failing: dict[str, dict[tuple[str, ...], list[CaseResult]]] = {}
    for result in ran:
        entries = [k for name in result.case.names for k in about.get(name, ())]
        words = tuple(dict.fromkeys(f.assertion for f in _unknown(result, entries)))
        if words:
            failing.setdefault(result.case.id, {}).setdefault(words, []).append(result)
    for case, alike in failing.items():
        for words, results in alike.items():
            yield _entry(case, words, results)


def _unknown(result: CaseResult, known: Sequence[Known]) -> Sequence[Finding]:
    if not result.verdict.fails:
        return ()
    return [f for f in result.findings if not any(each.covers(result, f) for each in known)]


def _entry(case: str, words: tuple[str, ...], results: Sequence[CaseResult]) -> Known:
    found = [f for result in results for f in result.findings if f.assertion in words]
    profiles = {result.profile for result in results}
    return Known(
        case=case,
        reason=_REASON,
        profile=tuple(name for name in PROFILE_NAMES if name in profiles),
        assertion=words,
        rule=tuple(sorted({rule for each in found for rule in each.requires})),
    )


def baseline_text(
    name: str,
    known: Sequence[Known],
    results: Sequence[CaseResult],
    rules: Mapping[str, Requirement],
) -> str:
    """Return the text of a baseline for the client or backend `name`; it depends only on the input."""
    parts = [_HEAD.format(name=cut(one_line(name), _LONGEST))]
    for case, entries in groupby(known, key=_case_of):
        own = [each for each in results if case in each.case.names]
        parts += [
            "\n".join([*_comments(each, own, rules), *_lines(each)]) + "\n" for each in entries
        ]
    return "\n".join(parts)


def _case_of(known: Known) -> str:
    return known.case


def _order(known: Known) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    return known.case, known.rule, known.profile


def _comments(
    known: Known, results: Sequence[CaseResult], rules: Mapping[str, Requirement]
) -> Iterator[str]:
    """Yield comments: the text of each rule, and the findings of the first result that has any."""
    for rule in known.rule:
        text = f"{rules[rule].level.value}: {one_line(rules[rule].text)}"
        yield f"# {rule} {cut(text, _LONGEST)}"
    for result in results:
        found = [each for each in result.findings if known.covers(result, each)]
        for each in found:
            yield f"# {each.assertion}: expected {_cut(each.expected)}; actual {_cut(each.actual)}"
        if found:
            return


def _cut(text: str) -> str:
    return cut(one_line(text), _LONGEST) or "nothing"


def _lines(known: Known) -> Iterator[str]:
    yield "[[known]]"
    if known.case:
        yield f"case = {toml_value(known.case)}"
    for word, values in (
        ("profile", known.profile),
        ("assertion", known.assertion),
        ("rule", known.rule),
    ):
        if values:
            yield f"{word} = {toml_value(values if len(values) > 1 else ''.join(values))}"
    yield f"reason = {toml_value(known.reason)}"
    if known.expires is not None:
        yield f"expires = {toml_value(known.expires.isoformat())}"
