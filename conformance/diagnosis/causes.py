"""Group the failures of a run by their cause.

Failures in which the client first deviates from the reference in the same way are taken to have the
same cause, whatever rules they cite; the rule that most of them cite first is taken to be the one
that the client breaks. This needs no list of known mistakes, so it also works for unknown ones. The
kit's own broken clients only provide hints, and help to tell the consequences of one mistake from
further mistakes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from attrs import evolve, frozen

from conformance.diagnosis.broken_clients import BrokenClient, Signature, play_of, resembling
from conformance.diagnosis.cells import occasion
from conformance.diagnosis.parting import Parting, delayed, parting
from conformance.diagnosis.steps import until_closed
from conformance.expect.delays import reconnect_sleeps
from conformance.trace.events import Settled
from conformance.verdict.result import OF_THE_DRIVER, CaseResult
from conformance.verdict.statuses import Verdict

_DOES: Final[Mapping[str, str]] = {
    "conduct.settled": "continues after the operation has settled",
    "conduct.secret": "shows a secret",
    "request.": "sends a wrong request",
}
"""What a client does wrong if its steps are right but it fails an expectation with this prefix."""


@frozen(kw_only=True)
class Beginning:
    """How a failure begins."""

    kind: str
    """A key shared by all failures that begin in the same way."""
    said: str
    """What the client does wrong, worded to follow "the client"."""
    occasion: str = ""
    """When that happens, such as "after the stream broke off"; empty if unknown."""


@frozen(kw_only=True)
class Failure:
    """A failed result, with how the failure begins and the reference's result for the same case."""

    place: int
    """The position of the result in the run."""
    play: str
    """The template of the case, and the profile, as in `budget.first@2026-05`."""
    rule: str
    """The first rule that the result cites; empty if it cites none."""
    verdict: Verdict
    begins: Beginning
    parting: Parting | None = None
    reference: CaseResult | None = None


@frozen(kw_only=True)
class Cause:
    """A cause and the failures that it explains, of which the most typical comes first."""

    rule: str
    """The rule that the client breaks; empty if there is none, for example if the driver dies."""
    failures: tuple[Failure, ...]
    alike: int
    """The number of failures that begin in the same way as the first."""
    resembles: BrokenClient | None = None
    follows: bool = False
    """Whether an earlier cause may also explain these failures.

    It may if a broken client breaks the rule of that cause but not the rule of this one, and fails
    all of these cases.
    """

    @property
    def begins(self) -> Beginning:
        """How the most typical of the failures begins."""
        return self.failures[0].begins

    @property
    def fails(self) -> bool:
        """Whether any of the failures is more than a warning."""
        return any(each.verdict is not Verdict.WARN for each in self.failures)


def first_cited(result: CaseResult) -> str:
    """Return the first rule that a result cites; empty if it cites none."""
    return next((rule for each in result.findings for rule in each.requires), "")


def failures(
    results: Sequence[CaseResult], references: Mapping[str, CaseResult], *, delays: bool = True
) -> Sequence[Failure]:
    """Return the failures to explain; `references` holds the reference's results by case name.

    If the reference did not play the case of a failure, the failure is assumed to begin like
    another failure of the same template that cites the same rule. `delays` says whether the client
    announces its back-off delays.
    """
    found: list[Failure] = []
    twins: dict[tuple[str, str], Beginning] = {}
    for place, result in enumerate(results):
        if not result.verdict.is_wrong:
            continue
        reference = references.get(result.name)
        parted = wrong = None
        if reference is not None and result.trace.events and not _is_of_the_driver(result):
            parted = parting(result, reference, delays=delays)
            wrong = _by_its_delay(result, reference, parted)
        failure = Failure(
            place=place,
            play=play_of(result.case.id, result.profile),
            rule=first_cited(result),
            verdict=result.verdict,
            begins=wrong or (_by_its_finding(result) if parted is None else _by_parting(parted)),
            parting=parted if wrong is None else None,
            reference=reference,
        )
        found.append(failure)
        if reference is not None:
            twins.setdefault((failure.play, failure.rule), failure.begins)
    return [
        each
        if each.reference is not None
        else evolve(each, begins=twins.get((each.play, each.rule), each.begins))
        for each in found
    ]


def _by_parting(parted: Parting) -> Beginning:
    return Beginning(kind=parted.kind, said=parted.said, occasion=parted.occasion)


def _by_its_delay(
    result: CaseResult, reference: CaseResult, parted: Parting | None
) -> Beginning | None:
    """Return how a failure begins if its first finding concerns a back-off delay.

    Jitter alone could explain how such a delay differs from the reference's; only the expectation
    of the case shows that it is wrong. Return None if the first finding does not concern
    a delay, or if the client deviated from the reference earlier.
    """
    blamed = result.findings[0].event if result.findings else None
    both = zip(reconnect_sleeps(result.trace), reconnect_sleeps(reference.trace), strict=False)
    found = next(((own, other) for (event, own), (_, other) in both if event == blamed), None)
    if blamed is None or found is None or found[0] == found[1]:
        return None
    if parted is not None and parted.client.seq is not None and parted.client.seq <= blamed.seq:
        return None
    kind, said = delayed(expected=found[1], actual=found[0])
    when = occasion(result.trace.events, blamed.seq, of_a_callback=False)
    return Beginning(kind=f"backs off {kind}", said=f"backs off {said}", occasion=when)


def _is_of_the_driver(result: CaseResult) -> bool:
    """Return whether the driver failed, in which case the client's steps explain nothing."""
    return any(finding.assertion == OF_THE_DRIVER for finding in result.findings)


def _by_its_finding(result: CaseResult) -> Beginning:
    """Return how a failure begins if the client takes the same steps as the reference."""
    if not result.findings or _is_of_the_driver(result):
        own = [each.actual for each in result.findings if each.assertion == OF_THE_DRIVER]
        why = (own or result.reason.strip().splitlines() or ["no reason was given"])[0]
        return Beginning(kind=f"driver {why}", said=f"could not be fully judged: {why}")
    finding = result.findings[0]
    word, _, operand = finding.assertion.partition(" ")
    if word != "closed":
        does = next((said for name, said in _DOES.items() if word.startswith(name)), "")
        said = f"{does or f'does not meet `{finding.assertion}`'}: {finding.actual}"
        return Beginning(kind=f"{does or word} {first_cited(result)}", said=said)
    said = f"leaves the connection of the {operand.partition('#')[0]} request open"
    events = until_closed(result.trace.events)
    settled = next((e.fact for e in reversed(events) if isinstance(e.fact, Settled)), None)
    when = "" if settled is None or settled.operation == "open" else _after(settled)
    return Beginning(kind=f"{when}: {said}", said=said, occasion=when)


def _after(settled: Settled) -> str:
    call = f"{settled.operation.partition('#')[0]}()"
    if settled.failure is None:
        return f"after {call} has returned"
    return f"after {call} has ended with the error `{settled.failure.kind}`"


def causes(
    found: Sequence[Failure],
    passed: frozenset[str],
    rank: Callable[[str], int],
    known: Sequence[BrokenClient],
) -> tuple[Cause, ...]:
    """Return the causes of these failures: those with the most failures first, and warnings last.

    `passed` holds every pair of template and profile in which the client passed all the cases.
    `rank` returns the rank of a rule, which depends on the source of the rule: the more
    authoritative the source, the lower the rank.
    """
    groups = (own for group in _by_step(found, rank) for own in _split(group, known))
    merged = sorted(
        _merged(groups),
        key=lambda cause: (not cause.fails, -len(cause.failures), rank(cause.rule)),
    )
    return tuple(_explained(merged, passed, known))


def _by_step(found: Sequence[Failure], rank: Callable[[str], int]) -> Iterator[Cause]:
    groups: dict[str, list[Failure]] = {}
    for failure in found:
        groups.setdefault(failure.begins.kind, []).append(failure)
    for group in groups.values():
        cited = Counter(each.rule for each in group)
        rule = min(cited, key=lambda rule: (-cited[rule], rank(rule)))
        yield Cause(rule=rule, failures=tuple(group), alike=len(group))


def _split(group: Cause, known: Sequence[BrokenClient]) -> Iterator[Cause]:
    """Split off the failures of a group that cite another rule and have another cause.

    A failure has another cause if, of the broken clients whose failure in its case begins in the
    same way, at least one breaks the rule that the failure cites, and none breaks the group's rule.
    """
    apart: dict[str, list[Failure]] = {group.rule: []}
    for each in group.failures:
        alike = [client for client in known if _fails_alike(client, each)]
        separate = (
            each.rule != group.rule
            and any(each.rule in client.breaks for client in alike)
            and not any(group.rule in client.breaks for client in alike)
        )
        apart.setdefault(each.rule if separate else group.rule, []).append(each)
    for rule, own in apart.items():
        if own:
            yield Cause(rule=rule, failures=tuple(own), alike=len(own))


def _fails_alike(client: BrokenClient, failure: Failure) -> bool:
    fails = client.fails.get(failure.play)
    return fails is not None and fails.kind == failure.begins.kind


def _merged(groups: Iterator[Cause]) -> Iterator[Cause]:
    """Merge the groups that have the same rule into one cause, with the largest group first."""
    by_rule: dict[str, list[Cause]] = {}
    for group in groups:
        by_rule.setdefault(group.rule, []).append(group)
    for rule, own in by_rule.items():
        own.sort(key=lambda group: -len(group.failures))
        together = tuple(
            failure
            for group in own
            for failure in sorted(group.failures, key=lambda each: _typical(each, rule))
        )
        yield Cause(rule=rule, failures=together, alike=own[0].alike)


def _typical(failure: Failure, rule: str) -> tuple[bool, bool]:
    """Return a sort key that puts the failures that cite `rule` before all others."""
    return failure.rule != rule, failure.verdict is not Verdict.FAIL


def _explained(
    found: Sequence[Cause], passed: frozenset[str], known: Sequence[BrokenClient]
) -> Iterator[Cause]:
    """Yield the causes, with hints that the broken clients provide.

    A broken client is compared with all failures of the tested client together, not with those of
    one cause, so only the first cause names a broken client that the tested client resembles.
    """
    fails = {each.play: each.begins.kind for cause in found for each in cause.failures}
    signature = Signature(fails=fails, passes=passed)
    for place, cause in enumerate(found):
        yield evolve(
            cause,
            follows=any(_follows(cause, earlier, known) for earlier in found[:place]),
            resembles=None if place else resembling(signature, cause.rule, known),
        )


def _follows(cause: Cause, earlier: Cause, known: Sequence[BrokenClient]) -> bool:
    plays = {each.play for each in cause.failures}
    return any(
        earlier.rule in each.breaks and cause.rule not in each.breaks and plays <= set(each.fails)
        for each in known
    )


def passed_plays(results: Sequence[CaseResult]) -> frozenset[str]:
    """Return every pair of template and profile in which the client passed all the cases."""
    verdicts: dict[str, set[Verdict]] = {}
    for each in results:
        verdicts.setdefault(play_of(each.case.id, each.profile), set()).add(each.verdict)
    return frozenset(play for play, found in verdicts.items() if found == {Verdict.PASS})
