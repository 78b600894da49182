"""Derive the verdict on a profile: which parts of the protocol the client conforms to.

A plain "conforms" covers the whole protocol as first published. The verdict names the parts that
are missing: parts that the driver does not declare or for which it answers `unsupported`, parts
whose cases could not be opened or were not played, and parts for which no MUST rule was judged. If
no MUST rule was judged at all, there is no verdict. Capabilities that only help the kit to judge
more closely (a clock, a random source) are not needed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Final

from attrs import frozen

from conformance.casefile.model import Case, Operate
from conformance.drive.protocol import Identity
from conformance.trace.events import Settled
from conformance.verdict.result import CaseResult
from conformance.verdict.scope import Scope
from conformance.verdict.standing import judged_rules
from conformance.verdict.statuses import Verdict
from conformance.verdict.time_modes import TimeMode, Timing
from conformance.words import CREATE
from mock_server.strict.shapes import count_of

_OPERATIONS: Final = ("start", "wait")
"""The operations for which no capability of the same name exists."""
SURFACE: Final = (
    *_OPERATIONS,
    "cancel",
    "abort",
    "concurrent",
    "callbacks.async",
    "config.backoff",
)
HARDENED: Final = (*SURFACE, "attach", "config.idle")


class Rank(Enum):
    """The kinds of verdict on one profile."""

    CONFORMS = "conforms"
    IN_PART = "conforms in part"
    KNOWN_FAILURES = "conforms except for known failures"
    FAILS = "does not conform"
    NOT_JUDGED = "not judged"
    PARTIAL = "not judged in full"
    NOTHING_RAN = "nothing ran"
    UNDECLARED = "not declared by the driver"


@frozen(kw_only=True)
class Claim:
    """The verdict on one profile. Every report shows `words`."""

    rank: Rank
    words: str
    holds: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What could not be judged in this time mode; this does not limit the verdict."""
    unplayed: int = 0


@frozen(kw_only=True)
class Judged:
    """The data that the verdict on one profile is based on."""

    profile: str
    results: Sequence[CaseResult]
    identity: Identity
    scope: Scope
    timing: Timing
    musts: frozenset[str]
    """The MUST rules that apply under the profile."""
    stopped: str = ""
    """Why the run ended early; empty if the run is complete."""

    @property
    def surface(self) -> tuple[str, ...]:
        """The parts of the protocol that a plain "conforms" requires."""
        return HARDENED if self.profile == "hardened" else SURFACE

    def omits(self, results: Sequence[CaseResult]) -> bool:
        """Return whether the cases of these results have MUST rules but no result judges any."""
        due = any(self.musts.intersection(each.case.requires) for each in results)
        return due and not any(self.musts & judged_rules(each) for each in results)

    @property
    def unplayed(self) -> int:
        """The number of chosen cases that were not played."""
        planned = self.scope.chosen.get(self.profile, len(self.results))
        return max(0, planned - len(self.results))


def claim(judged: Judged) -> Claim:
    """Return the verdict that the results of a profile justify."""
    if judged.profile not in judged.identity.profiles:
        return Claim(rank=Rank.UNDECLARED, words=Rank.UNDECLARED.value)
    counts = Counter(result.verdict for result in judged.results)
    if (rank := _refused(judged, counts)) is not None:
        played = len(judged.results) > counts[Verdict.NOT_APPLICABLE]
        less = " that judges a MUST rule" if rank is Rank.NOTHING_RAN and played else ""
        words = f"{rank.value}{less}{_early(judged, '; not judged in full: ')}"
        return Claim(rank=rank, words=words, unplayed=judged.unplayed)
    if judged.unplayed:
        rank = Rank.PARTIAL
        words = f"{rank.value}{_early(judged, ': ')}"
        return Claim(rank=rank, words=words, unplayed=judged.unplayed)
    return _of_what_ran(judged, counts)


def _refused(judged: Judged, counts: Mapping[Verdict, int]) -> Rank | None:
    if counts[Verdict.ERROR]:
        return Rank.NOT_JUDGED
    if any(result.verdict.fails for result in judged.results):
        return Rank.FAILS
    nothing = len(judged.results) == counts[Verdict.NOT_APPLICABLE]
    if (nothing or judged.omits(judged.results)) and not judged.unplayed:
        return Rank.NOTHING_RAN
    return None


def _early(judged: Judged, before: str) -> str:
    if not judged.unplayed:
        return ""
    planned = judged.scope.chosen.get(judged.profile, 0)
    return f"{before}{not_played(judged.unplayed, planned, judged.stopped)}"


def not_played(left: int, planned: int, stopped: str) -> str:
    """Return, as text, how many cases were not played, and why if that is known."""
    why = f" ({stopped})" if stopped else ""
    return f"{left} of {planned} cases were not played{why}"


def _of_what_ran(judged: Judged, counts: Mapping[Verdict, int]) -> Claim:
    holds, lacks = _parts(judged)
    limits = tuple(_limits(judged, lacks))
    known = counts[Verdict.KNOWN_FAILURE]
    rank = Rank.CONFORMS
    if lacks or limits or judged.scope.narrowed(judged.profile):
        rank = Rank.IN_PART
    if known:
        rank = Rank.KNOWN_FAILURES
    return Claim(
        rank=rank,
        words=_words(judged, holds, (*lacks, *limits), known, counts[Verdict.PASS]),
        holds=holds,
        lacks=(*lacks, *limits),
        remarks=tuple(_remarks(judged)),
    )


def _words(
    judged: Judged, holds: Sequence[str], less: Sequence[str], known: int, passed: int
) -> str:
    parts = ["conforms"]
    if judged.scope.narrowed(judged.profile):
        parts.append(_chosen(judged))
    elif less:
        parts.append(f"for: {', '.join(holds)}" if holds else "for nothing")
    if less:
        parts.append(f"({', '.join(less)})")
    if known:
        every = "" if passed else ": no case passed"
        parts.append(f"except for {known} known failure{'s' * (known > 1)}{every}")
    return " ".join(parts)


def _chosen(judged: Judged) -> str:
    scope, profile = judged.scope, judged.profile
    chosen, total = scope.chosen.get(profile, 0), scope.total.get(profile, 0)
    if scope.shard is not None:
        return f"in {scope.shard} ({chosen} of {_selected(scope, profile)})"
    if not scope.files:
        return f"in the cases chosen ({chosen}/{total})"
    cases = f"{chosen} case{'s' * (chosen != 1)}"
    return f"in the {cases} of {', '.join(scope.files)}"


def _selected(scope: Scope, profile: str) -> str:
    """Describe the cases that are divided into shards, for example as `the 5 cases chosen`."""
    selected = scope.selected.get(profile, 0)
    if scope.files:
        return f"the {selected} cases of {', '.join(scope.files)}"
    narrowed = selected < scope.total.get(profile, 0)
    return f"the {selected} cases chosen" if narrowed else f"{selected} cases"


def _parts(judged: Judged) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the parts that the client conforms to, and why others are missing."""
    holds: list[str] = []
    lacks: list[str] = []
    narrowed = judged.scope.narrowed(judged.profile)
    passed = any(result.verdict is Verdict.PASS for result in judged.results)
    for part in judged.surface:
        about = [result for result in judged.results if _is_about(result.case, part)]
        ran = {result.verdict for result in about} - {Verdict.NOT_APPLICABLE}
        if passed and ran == {Verdict.KNOWN_FAILURE}:
            lacks.append(f"{part} known to fail")
        elif ran and not judged.omits(about):
            holds.append(part)
        elif about or not narrowed:
            refused = any(part in unsupported(result) for result in about)
            missing = refused or not _is_declared(judged.identity, part)
            named = CREATE if part == "start" and judged.identity.follows_only else part
            lacks.append(f"no {named}" if missing else f"{part} not judged")
    return tuple(holds), tuple(lacks)


def _is_declared(identity: Identity, part: str) -> bool:
    if part == "start":
        return not identity.follows_only
    return part in _OPERATIONS or part in identity.capabilities


def _is_about(case: Case, part: str) -> bool:
    """Return whether a case tests a part of the protocol.

    A case in which only a callback cancels does not count: the kit never calls `cancel` itself
    in such a case, so a driver that refuses every `cancel` would still pass.
    """
    operates = any(isinstance(step, Operate) and step.verb.value == part for step in case.steps)
    if part in _OPERATIONS or operates:
        return operates
    return part in case.needs and f"{part}_in" not in case.config


def _limits(judged: Judged, lacks: Sequence[str]) -> Iterator[str]:
    """Yield, as text, in how many cases each operation was refused, and how many ended early."""
    refused = Counter(
        operation
        for result in judged.results
        if result.verdict is Verdict.NOT_APPLICABLE
        for operation in (*opening_refused(result), *unsupported(result))
    )
    for operation, number in refused.items():
        if f"no {operation}" not in lacks:
            yield f"{operation} refused in {number} case{'s' * (number > 1)}"
    short = sum(
        result.verdict is Verdict.WARN and any(finding.cut_short for finding in result.findings)
        for result in judged.results
    )
    if short:
        yield f"{short} case{'s' * (short > 1)} ended early"


def opening_refused(result: CaseResult) -> tuple[str, ...]:
    """Return ("open",) if the driver could not open the case; otherwise an empty tuple."""
    opened = result.trace.first("open.rejected")
    return ("open",) if opened is not None else ()


def unsupported(result: CaseResult) -> tuple[str, ...]:
    """Return the names of the operations to which the driver answered `unsupported`."""
    found = (
        fact.operation.partition("#")[0]
        for _, fact in result.trace.of(Settled)
        if fact.failure and fact.failure.kind == "unsupported" and fact.operation != "open"
    )
    return tuple(dict.fromkeys(found))


def _remarks(judged: Judged) -> Iterator[str]:
    """Yield how many expectations were not fully judged, unless the time mode is virtual."""
    given_up = sum(len(result.unjudged) for result in judged.results)
    if judged.timing.mode is not TimeMode.VIRTUAL:
        mode = f"in {judged.timing.mode.value} time"
        yield f"{mode}: {count_of(given_up, 'expectation')} not fully judged"
