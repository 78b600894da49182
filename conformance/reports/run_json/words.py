# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""The vocabulary of `run.json`, against which a saved run is checked."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from conformance.casefile.requirements import Level
from conformance.casefile.shards import MOST
from conformance.verdict.claim import Rank
from conformance.verdict.known_failures import Known
from conformance.verdict.standing import Standing
from conformance.verdict.statuses import Verdict
from conformance.words import TIMES
from mock_server.strict.alternatives import constant, nullable
from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import (
    ScenarioError,
    Shape,
    array,
    choice,
    flag,
    integer,
    is_array,
    mapping,
    number,
    one_of,
    text,
    wrong,
)
from mock_server.strict.words import needed, table

SCHEMA: Final = "arkor-conformance-run/2"
JUDGED: Final = ("client", "backend")
_MOST: Final = 10_000_000
_TEXT: Final = text(1 << 26, lone_surrogates=True)
_TEXTS: Final = array(_TEXT, _MOST)
_TEXT_BY_NAME: Final = mapping(_TEXT)
_COUNT: Final = integer(0, 2**53)
_COUNT_BY_NAME: Final = mapping(_COUNT)
_SECONDS: Final = number(0, 2**53)


@frozen(kw_only=True)
class Client:
    """The client, or the backend, that was judged."""

    implementation: str = needed(_TEXT, "the name of the client or backend")
    version: str = needed(_TEXT, "the version of the client or backend")
    profiles: tuple[str, ...] = needed(
        _TEXTS,
        "the profiles that the client declares; for a backend, the profiles chosen for the run",
    )
    capabilities: tuple[str, ...] = needed(
        _TEXTS, "the capabilities of the driver; for a backend, the commands of its control program"
    )
    declared_gaps: Mapping[str, str] = needed(
        _TEXT_BY_NAME, "why the client fails certain cases, by case id"
    )
    command: tuple[str, ...] = needed(
        _TEXTS,
        "the command line that starts the driver or the control program; empty if none was given",
    )


@frozen(kw_only=True)
class Backend:
    """The backend that was judged: its address, and the jobs that the run used there."""

    address: str = needed(_TEXT, "the last URL of the backend, which `rotate` can change")
    org: str = needed(_TEXT, "the organisation")
    project: str = needed(_TEXT, "the project")
    followed: str = needed(_TEXT, "the job given with --follow; empty if the run created its own")
    jobs: int = needed(_COUNT, "how many jobs the run created")


@frozen(kw_only=True)
class Time:
    """The time mode of the run: whether its clock was virtual, scaled or real."""

    mode: str = needed(one_of(TIMES), "the name of the time mode")
    said: str = needed(_TEXT, "the time mode in words")


@frozen(kw_only=True)
class Partial:
    """How many cases were not played, and why."""

    why: str = needed(_TEXT, "the reason")
    left: int = needed(_COUNT, "how many cases were not played")
    of: int = needed(_COUNT, "how many cases were chosen")
    said: str = needed(_TEXT, "how many cases were not played and why, in words")


@frozen(kw_only=True)
class Part:
    """The part of a run that one shard played, with everything that a merge needs to know."""

    number: int = needed(integer(1, MOST), "the number of the shard")
    of: int = needed(integer(1, MOST), "how many shards there are")
    cases: tuple[str, ...] = needed(
        _TEXTS, "the values of --case, which select the cases to be divided into shards"
    )
    filters: tuple[str, ...] = needed(_TEXTS, "the values of --filter")
    files: tuple[str, ...] = needed(_TEXTS, "the files given with --file")
    profiles: tuple[str, ...] = needed(_TEXTS, "the profiles that were chosen")
    known: tuple[Known, ...] = needed(
        array(table(Known, "a known failure"), _MOST), "the known failures listed in the baseline"
    )


@frozen(kw_only=True)
class Specification:
    """The rules and cases by which the client or backend was judged."""

    version: str = needed(_TEXT, "the version of the specification")
    cases: str = needed(_TEXT, "the SHA-256 hash, in hex, of all active cases as canonical JSON")
    said: str = needed(_TEXT, "the version and a short form of the hash, in words")


@frozen(kw_only=True)
class Counted:
    """The results for all rules of one level, MUST or SHOULD."""

    broken: tuple[str, ...] = needed(_TEXTS, "the rules that are broken in at least one case")
    cases: int = needed(_COUNT, "the number of cases in which any of these rules is broken")
    known: int = needed(_COUNT, "how many rules are broken only in known failures")
    hold: int = needed(_COUNT, "how many rules hold")
    not_judged: int = needed(_COUNT, "how many rules were not judged")


@frozen(kw_only=True)
class Apart:
    """Broken rules that do not count under a profile."""

    broken: tuple[str, ...] = needed(_TEXTS, "the ids of the rules")
    cases: int = needed(_COUNT, "the number of cases in which any of these rules is broken")


@frozen(kw_only=True)
class NotReached:
    """Cases in which the client failed before it reached the rule that the case tests."""

    cases: int = needed(_COUNT, "how many cases")
    because: Mapping[str, int] = needed(
        _COUNT_BY_NAME, "the rules that the client broke instead, each with the number of cases"
    )


_LEVEL: Final = table(Counted, "the results for all rules of one level")


@frozen(kw_only=True)
class Profile:
    """The verdict under one profile."""

    name: str = needed(_TEXT, "the profile")
    rank: Rank = needed(choice(Rank), "the kind of verdict")
    verdict: str = needed(_TEXT, "the verdict in words")
    holds: tuple[str, ...] = needed(_TEXTS, "the parts of the protocol that the verdict covers")
    lacks: tuple[str, ...] = needed(
        _TEXTS, "what the verdict does not cover, such as 'no cancel' or 'cancel not judged'"
    )
    remarks: tuple[str, ...] = needed(
        _TEXTS, "remarks on what could not be judged, or only in part, in the time mode of the run"
    )
    unplayed: int = needed(_COUNT, "how many of the chosen cases were not played")
    counts: Mapping[str, int] = needed(
        mapping(_COUNT, keys=one_of([verdict.value for verdict in Verdict])),
        "the number of cases with each verdict",
    )
    must: Counted = needed(_LEVEL, "the MUST rules", name="MUST")
    should: Counted = needed(_LEVEL, "the SHOULD rules", name="SHOULD")
    apart: Apart = needed(
        table(Apart, "rules that do not count"), "broken rules that do not count under this profile"
    )
    sources: Mapping[str, int] = needed(
        _COUNT_BY_NAME, "the number of broken rules, by kind of source"
    )
    not_reached: NotReached = needed(
        table(NotReached, "a summary of the cases that ended before reaching the rule they test"),
        "the cases in which the client failed before it reached the rule that the case tests",
    )
    unruled: int = needed(
        _COUNT, "how many cases failed because of the driver itself; they cite no rule"
    )
    rules: Mapping[str, Standing] = needed(
        mapping(choice(Standing)), "the result for each rule, by id"
    )


@frozen(kw_only=True)
class Group:
    """Cases that did not apply for the same reason."""

    name: str = needed(_TEXT, "what was missing: a capability, an operation or something else")
    why: str = needed(_TEXT, "the reason why the cases did not apply")
    cases: int = needed(_COUNT, "how many cases")
    musts: tuple[str, ...] = needed(
        _TEXTS, "the MUST rules of these cases that were not judged at all"
    )


@frozen(kw_only=True)
class Rule:
    """A rule of the specification."""

    level: Level = needed(choice(Level), "the requirement level of the rule, such as MUST")
    source: str = needed(_TEXT, "the source of the rule")
    text: str = needed(_TEXT, "the text of the rule")
    why: str = needed(_TEXT, "the reason for the rule")
    profiles: tuple[str, ...] = needed(_TEXTS, "the profiles under which the rule applies")
    excluded: str = needed(_TEXT, "why no case can judge the rule; empty if one can")


@frozen(kw_only=True)
class Event:
    """An event that occurs in a trace."""

    who: str = needed(_TEXT, "the party that causes the event")
    to: str | None = needed(
        nullable(_TEXT), "the party that receives the event; null if there is none"
    )
    kind: str = needed(_TEXT, "the kind of event")
    text: str = needed(_TEXT, "the event in words")
    names: tuple[str, ...] = needed(
        _TEXTS, "the names that cases use for the event, such as stream#2.frame#1"
    )


@frozen(kw_only=True)
class Finding:
    """A place where a client did not meet an expectation."""

    assertion: str = needed(_TEXT, "the expectation")
    requires: tuple[str, ...] = needed(_TEXTS, "the rules that the client breaks here")
    expected: str = needed(_TEXT, "what was expected")
    actual: str = needed(_TEXT, "what happened")
    event: int | None = needed(
        nullable(integer(1, 2**53)),
        "the number of the event that the finding is about; null if there is none",
    )
    not_reached: bool = needed(
        flag(), "whether the client failed before it reached the rule that the case tests"
    )


@frozen(kw_only=True)
class Unjudged:
    """An expectation that could not be judged, or only in part, in the time mode of the run."""

    word: str = needed(_TEXT, "the expectation")
    why: str = needed(_TEXT, "the reason")


@frozen
class Entry:
    """A trace entry: an event's number (from 1), time in milliseconds and index in `events`."""

    number: int
    ms: float
    place: int


def _entry() -> Shape[Entry]:
    says = "[number, milliseconds, index in `events`]"
    parts = (integer(0, 2**53), number(-(2**53), 2**53), _COUNT)

    def read(value: object, where: str) -> Entry:
        if not is_array(value) or len(value) != len(parts):
            raise wrong(value, where, says)
        first, second, third = value
        return Entry(
            parts[0].read(first, where), parts[1].read(second, where), parts[2].read(third, where)
        )

    def schema() -> dict[str, object]:
        items = [part.schema() for part in parts]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}

    return Shape(frozenset({"array"}), says, read, schema)


@frozen(kw_only=True)
class Side:
    """What the client or the reference does at the point where the two diverge."""

    event: int | None = needed(
        nullable(integer(1, 2**53)),
        "the number of the first differing event; null if this side does nothing more",
    )
    cell: str = needed(_TEXT, "the state and the signal, which identify a cell of the state table")


@frozen(kw_only=True)
class Begins:
    """How a failure begins: the first step at which the client differs from the reference."""

    kind: str = needed(
        _TEXT, "the kind of the first wrong step, the same for all failures that begin like this"
    )
    occasion: str = needed(
        _TEXT, "when the client does this, such as 'after the stream broke off'; may be empty"
    )
    said: str = needed(
        _TEXT, "what the client does, as the rest of a sentence that begins with 'the client'"
    )
    client: Side | None = needed(
        nullable(table(Side, "a side")),
        "what the client does; null if no step was found to differ from the reference's",
    )
    reference: Side | None = needed(
        nullable(table(Side, "a side")),
        "what the reference does; null if `client` is null",
    )


@frozen(kw_only=True)
class Reference:
    """How the reference plays the case."""

    omitted: int = needed(_COUNT, "how many events are left out of the trace")
    trace: tuple[Entry, ...] = needed(array(_entry(), _MOST), "the events of the trace, in order")
    details: Mapping[str, str] = needed(
        _TEXT_BY_NAME, "details that the texts of the events leave out, by event number"
    )


@frozen(kw_only=True)
class Resembles:
    """One of the kit's broken clients."""

    name: str = needed(_TEXT, "the name of the broken client")
    what: str = needed(_TEXT, "what the broken client does wrong")


@frozen(kw_only=True)
class Cause:
    """The common cause of several failures."""

    rule: str = needed(
        _TEXT, "the rule that the client breaks; empty if no rule explains the failures"
    )
    kind: str = needed(_TEXT, "the most common kind of first wrong step in these failures")
    occasion: str = needed(
        _TEXT, "when the client does this, such as 'after the stream broke off'; may be empty"
    )
    said: str = needed(
        _TEXT, "what the client does, as the rest of a sentence that begins with 'the client'"
    )
    alike: int = needed(_COUNT, "how many of the failures begin with exactly this step")
    warning: bool = needed(flag(), "whether all of the failures are only warnings")
    follows: bool = needed(flag(), "whether the cause may be a consequence of an earlier one")
    resembles: Resembles | None = needed(
        nullable(table(Resembles, "a broken client")),
        "the most similar of the kit's broken clients; null if there is no clear match",
    )
    results: tuple[int, ...] = needed(
        array(_COUNT, _MOST), "the failures, as indices into `results`; the most typical first"
    )


@frozen(kw_only=True)
class Result:
    """The result of one case under one profile."""

    case: str = needed(_TEXT, "the id of the case")
    profile: str = needed(_TEXT, "the name of the profile")
    family: str = needed(_TEXT, "the family of the case")
    level: Level = needed(choice(Level), "the requirement level of the case, such as MUST")
    requires: tuple[str, ...] = needed(_TEXTS, "the rules that the case tests")
    why: str = needed(_TEXT, "why these rules matter")
    verdict: Verdict = needed(choice(Verdict), "the verdict")
    reason: str = needed(
        _TEXT, "the reason for the verdict if there are no findings; otherwise the driver's log"
    )
    lacking: tuple[str, ...] = needed(
        _TEXTS, "the missing capabilities because of which the case was not played"
    )
    refused: tuple[str, ...] = needed(_TEXTS, "the operations that the driver refused")
    seconds: float = needed(
        _SECONDS, "how long the case took, by a monotonic clock; no verdict depends on this"
    )
    rerun: str = needed(_TEXT, "the command that runs only this case")
    findings: tuple[Finding, ...] = needed(
        array(table(Finding, "a finding"), _MOST), "the differences from what was expected"
    )
    cause: int | None = needed(
        nullable(_COUNT),
        "the cause's index in `causes`; null unless `verdict` is fail, inconclusive, warn or error",
    )
    begins: Begins | None = needed(
        nullable(table(Begins, "a beginning")),
        "how the failure begins; null if `cause` is null",
    )
    reference: Reference | None = needed(
        nullable(table(Reference, "a trace")),
        "the reference's trace of the case; null if there is none or if `cause` is null",
    )
    operations: tuple[str, ...] = needed(
        _TEXTS, "how each operation settled; empty if there are no findings"
    )
    endless: bool = needed(
        flag(), "whether the kit ended the case because the client seemed never to stop"
    )
    unjudged: tuple[Unjudged, ...] = needed(
        array(table(Unjudged, "an expectation that was not judged")),
        "the expectations that could not be judged, or only in part, in the time mode of the run",
    )
    omitted: int = needed(_COUNT, "how many events are left out of the trace")
    trace: tuple[Entry, ...] = needed(array(_entry(), _MOST), "the trace of the case")
    details: Mapping[str, str] = needed(
        _TEXT_BY_NAME,
        "details that the texts of the events leave out, by number; empty if there are no findings",
    )


@frozen(kw_only=True)
class Run:
    """A run. It contains no secrets: tokens are replaced by `[secret]`."""

    schema: str = needed(constant(SCHEMA), "the name and version of this format")
    kit: str = needed(_TEXT, "the version of the kit")
    date: str = needed(_TEXT, "when the run ended, in UTC")
    host: str = needed(
        _TEXT, "the operating system, processor and Python version on which the kit ran"
    )
    specification: Specification = needed(
        table(Specification, "a specification"),
        "the rules and cases by which the client or backend was judged",
    )
    strict: bool = needed(flag(), "whether rules that are only proposals count under every profile")
    judged: str = needed(one_of(JUDGED), "which side of the protocol was judged")
    client: Client = needed(table(Client, "a client"), "the client or backend that was judged")
    backend: Backend | None = needed(
        nullable(table(Backend, "a backend")),
        "the backend's address and the jobs that the run used there; null if a client was judged",
    )
    seconds: float = needed(
        _SECONDS, "how long the run took, by a monotonic clock; no verdict depends on this"
    )
    time: Time = needed(table(Time, "a time"), "the time mode of the run")
    stack: Mapping[str, str] | None = needed(
        nullable(_TEXT_BY_NAME),
        "whether the client's HTTP stack detects a truncated body; null if no case depends on it",
    )
    bounds: Mapping[str, int] = needed(
        _COUNT_BY_NAME,
        "the time limits for a backend, in milliseconds; empty if a client was judged",
    )
    partial: Partial | None = needed(
        nullable(table(Partial, "what is missing")),
        "what was not played and why; null if the run is complete",
    )
    shard: Part | None = needed(
        nullable(table(Part, "a shard")), "the shard that this run is; null for a whole run"
    )
    profiles: tuple[Profile, ...] = needed(
        array(table(Profile, "a profile")), "the verdicts, by profile"
    )
    not_applicable: tuple[Group, ...] = needed(
        array(table(Group, "a group of cases")),
        "the cases that did not apply, grouped by what was missing; the largest group comes first",
    )
    causes: tuple[Cause, ...] = needed(
        array(table(Cause, "a cause"), _MOST),
        "the causes of the failures: those with the most failures first, and warnings last",
    )
    notes: tuple[str, ...] = needed(_TEXTS, "further remarks for the reader")
    requirements: Mapping[str, Rule] = needed(mapping(table(Rule, "a rule")), "the rules, by id")
    events: tuple[Event, ...] = needed(
        array(table(Event, "an event"), _MOST),
        "the distinct events of all traces; the entries of each `trace` refer to them by index",
    )
    results: tuple[Result, ...] = needed(
        array(table(Result, "a result"), _MOST), "the result of each case under each profile"
    )


def _check_places(run: Run, _: str) -> None:
    """Refuse an index that is out of range for its list."""
    mistakes = Mistakes()
    for n, result in enumerate(run.results, 1):
        whose = {"trace": result.trace}
        if result.reference is not None:
            whose["reference.trace"] = result.reference.trace
        for name, trace in whose.items():
            for m, entry in enumerate(trace, 1):
                _check_place(mistakes, f"results {n}.{name} {m}", entry.place, run.events, "events")
        if result.cause is not None:
            _check_place(mistakes, f"results {n}.cause", result.cause, run.causes, "causes")
    for n, cause in enumerate(run.causes, 1):
        for m, place in enumerate(cause.results, 1):
            _check_place(mistakes, f"causes {n}.results {m}", place, run.results, "results")
        with mistakes.collected():
            if not cause.results:
                raise ScenarioError(f"causes {n}.results: empty; a cause needs at least one result")
    mistakes.settle()


def _check_place(
    mistakes: Mistakes, where: str, place: int, known: Sequence[object], what: str
) -> None:
    with mistakes.collected():
        if place >= len(known):
            raise ScenarioError(
                f"{where}: {place} is not an index of `{what}`; its length is {len(known)}"
            )


RUN: Final[Shape[Run]] = table(Run, "a run", _check_places)
