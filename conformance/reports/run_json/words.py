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
    profiles: tuple[str, ...] = needed(_TEXTS, "the profiles that the client declares")
    capabilities: tuple[str, ...] = needed(
        _TEXTS, "the capabilities of the driver; for a backend, the commands of its control program"
    )
    declared_gaps: Mapping[str, str] = needed(_TEXT_BY_NAME, "reasons by case")
    command: tuple[str, ...] = needed(
        _TEXTS,
        "the command line that starts the driver or the control program; empty if none was given",
    )


@frozen(kw_only=True)
class Backend:
    """The backend that was judged: its address, and the jobs that the run used there."""

    address: str = needed(_TEXT, "the URL of the backend at the end of the run")
    org: str = needed(_TEXT, "the organisation")
    project: str = needed(_TEXT, "the project")
    followed: str = needed(_TEXT, "the job given with --follow; empty if the run created its own")
    jobs: int = needed(_COUNT, "how many jobs the run created")


@frozen(kw_only=True)
class Time:
    """The clock used to judge the run."""

    mode: str = needed(one_of(TIMES), "the name of the time mode")
    said: str = needed(_TEXT, "the time mode in words")


@frozen(kw_only=True)
class Partial:
    """The cases that were not played."""

    why: str = needed(_TEXT, "the reason")
    left: int = needed(_COUNT, "how many cases were not played")
    of: int = needed(_COUNT, "how many cases were chosen")
    said: str = needed(_TEXT, "what was not played, in words")


@frozen(kw_only=True)
class Part:
    """The part of a run that one shard played, with everything that a merge needs to know."""

    number: int = needed(integer(1, MOST), "the number of the shard")
    of: int = needed(integer(1, MOST), "how many shards there are")
    cases: tuple[str, ...] = needed(
        _TEXTS, "the values of --case, before the cases were divided into shards"
    )
    filters: tuple[str, ...] = needed(_TEXTS, "the values of --filter")
    files: tuple[str, ...] = needed(_TEXTS, "the files given with --file")
    profiles: tuple[str, ...] = needed(_TEXTS, "the profiles that were chosen")
    known: tuple[Known, ...] = needed(
        array(table(Known, "a known failure"), _MOST), "the known failures of the baseline"
    )


@frozen(kw_only=True)
class Specification:
    """The rules and cases used to judge the client."""

    version: str = needed(_TEXT, "the version of the specification")
    cases: str = needed(_TEXT, "SHA-256 of all active cases as canonical JSON, in hex")
    said: str = needed(_TEXT, "the version and the cases, in words")


@frozen(kw_only=True)
class Counted:
    """The results of the rules of one level."""

    broken: tuple[str, ...] = needed(_TEXTS, "the rules that are broken in at least one case")
    cases: int = needed(_COUNT, "in how many cases at least one of these rules is broken")
    known: int = needed(_COUNT, "rules broken only by known failures")
    hold: int = needed(_COUNT, "rules that hold")
    not_judged: int = needed(_COUNT, "rules that no case reached")


@frozen(kw_only=True)
class Apart:
    """Broken rules that do not count under a profile."""

    broken: tuple[str, ...] = needed(_TEXTS, "the ids of the rules")
    cases: int = needed(_COUNT, "in how many cases these rules are broken")


@frozen(kw_only=True)
class NotReached:
    """Cases that did not reach their own rule."""

    cases: int = needed(_COUNT, "how many cases")
    because: Mapping[str, int] = needed(
        _COUNT_BY_NAME, "the number of cases, by the rule that was broken first"
    )


_LEVEL: Final = table(Counted, "the results of the rules of one level")


@frozen(kw_only=True)
class Profile:
    """The verdict under one profile."""

    name: str = needed(_TEXT, "the profile")
    rank: Rank = needed(choice(Rank), "the kind of verdict")
    verdict: str = needed(_TEXT, "the claim in words, without percentages")
    holds: tuple[str, ...] = needed(_TEXTS, "the parts of the protocol that were judged")
    lacks: tuple[str, ...] = needed(
        _TEXTS, "the reasons why the claim does not cover the whole protocol"
    )
    remarks: tuple[str, ...] = needed(_TEXTS, "the aspects that could be judged only in part")
    unplayed: int = needed(_COUNT, "cases that were chosen but not played")
    counts: Mapping[str, int] = needed(
        mapping(_COUNT, keys=one_of([verdict.value for verdict in Verdict])), "cases by verdict"
    )
    must: Counted = needed(_LEVEL, "the MUST rules", name="MUST")
    should: Counted = needed(_LEVEL, "the SHOULD rules", name="SHOULD")
    apart: Apart = needed(
        table(Apart, "rules that do not count"), "broken rules that do not count under this profile"
    )
    sources: Mapping[str, int] = needed(_COUNT_BY_NAME, "broken rules, by the kind of their source")
    not_reached: NotReached = needed(
        table(NotReached, "cases that did not reach their rule"),
        "cases that did not reach their rule",
    )
    unruled: int = needed(
        _COUNT, "cases that failed because of the driver itself, so that no rule is cited"
    )
    rules: Mapping[str, Standing] = needed(
        mapping(choice(Standing)), "the standing of each rule, by id"
    )


@frozen(kw_only=True)
class Group:
    """Cases that did not apply for the same reason."""

    name: str = needed(_TEXT, "what was missing: a capability, an operation or something else")
    why: str = needed(_TEXT, "the reason why the cases did not apply")
    cases: int = needed(_COUNT, "how many cases")
    musts: tuple[str, ...] = needed(_TEXTS, "MUST rules that no case could judge because of this")


@frozen(kw_only=True)
class Rule:
    """A rule of the specification."""

    level: Level = needed(choice(Level), "how binding the rule is")
    source: str = needed(_TEXT, "the source of the rule")
    text: str = needed(_TEXT, "the text of the rule")
    why: str = needed(_TEXT, "the reason for the rule")
    profiles: tuple[str, ...] = needed(_TEXTS, "the profiles in which the rule applies")
    excluded: str = needed(_TEXT, "why no case can judge the rule, or empty if one can")


@frozen(kw_only=True)
class Event:
    """An event that occurs in a trace."""

    who: str = needed(_TEXT, "the party that causes the event")
    to: str | None = needed(nullable(_TEXT), "the party that receives the event, or null")
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
        nullable(integer(1, 2**53)), "the number of the first diverging event, or null"
    )
    not_reached: bool = needed(
        flag(), "whether the client did not get as far as the rule that the case judges"
    )


@frozen(kw_only=True)
class Unjudged:
    """An expectation that could not be judged in the time mode of the run."""

    word: str = needed(_TEXT, "the expectation")
    why: str = needed(_TEXT, "the reason")


@frozen
class Entry:
    """An event of a trace: number (counting from 1), time in milliseconds and index in `events`."""

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
        "the number of the event that is the next step; null if there is none",
    )
    cell: str = needed(_TEXT, "the cell of the state table: the state and the signal")


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
        "what the client does; null if the client and the reference take the same steps",
    )
    reference: Side | None = needed(
        nullable(table(Side, "a side")),
        "what the reference does; null if the client and the reference take the same steps",
    )


@frozen(kw_only=True)
class Reference:
    """How the reference plays the case."""

    omitted: int = needed(_COUNT, "how many events are left out of the trace")
    trace: tuple[Entry, ...] = needed(
        array(_entry(), _MOST), "[number, milliseconds, index in `events`]"
    )
    details: Mapping[str, str] = needed(
        _TEXT_BY_NAME, "details that the text of an event leaves out, by event number"
    )


@frozen(kw_only=True)
class Resembles:
    """One of the kit's broken clients."""

    name: str = needed(_TEXT, "the name of the broken client")
    what: str = needed(_TEXT, "what is wrong with the broken client")


@frozen(kw_only=True)
class Cause:
    """The common cause of several failures."""

    rule: str = needed(
        _TEXT, "the rule that the client breaks; empty if no rule explains the failures"
    )
    kind: str = needed(_TEXT, "how most of the failures begin, with all values left out")
    occasion: str = needed(
        _TEXT, "when the client does this, such as 'after the stream broke off'; may be empty"
    )
    said: str = needed(
        _TEXT, "what the client does, as the rest of a sentence that begins with 'the client'"
    )
    alike: int = needed(_COUNT, "how many of the failures begin with exactly this step")
    warning: bool = needed(flag(), "whether none of the failures counts")
    follows: bool = needed(flag(), "whether the cause may be a consequence of an earlier one")
    resembles: Resembles | None = needed(
        nullable(table(Resembles, "a broken client")),
        "the kit's broken client that is most similar",
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
    level: Level = needed(choice(Level), "how binding the case is")
    requires: tuple[str, ...] = needed(_TEXTS, "the rules that the case tests")
    why: str = needed(_TEXT, "why these rules matter")
    verdict: Verdict = needed(choice(Verdict), "the verdict")
    reason: str = needed(
        _TEXT, "the reason for the verdict if there are no findings; otherwise the driver's log"
    )
    lacking: tuple[str, ...] = needed(
        _TEXTS, "the missing capabilities that kept the case from being played"
    )
    refused: tuple[str, ...] = needed(_TEXTS, "the operations that the driver refused")
    seconds: float = needed(
        _SECONDS, "how long the case took, measured by a monotonic clock; not judged"
    )
    rerun: str = needed(_TEXT, "the command that runs only this case")
    findings: tuple[Finding, ...] = needed(
        array(table(Finding, "a finding"), _MOST), "the differences from what was expected"
    )
    cause: int | None = needed(
        nullable(_COUNT), "the index of the cause in `causes`; null if there are no findings"
    )
    begins: Begins | None = needed(
        nullable(table(Begins, "a beginning")),
        "how the failure begins; null if there are no findings",
    )
    reference: Reference | None = needed(
        nullable(table(Reference, "a trace")),
        "how the reference plays the case; null if it did not play it",
    )
    operations: tuple[str, ...] = needed(
        _TEXTS, "how each operation settled; empty if there are no findings"
    )
    endless: bool = needed(flag(), "whether the client would have continued endlessly")
    unjudged: tuple[Unjudged, ...] = needed(
        array(table(Unjudged, "an expectation that was not judged")),
        "the expectations of a played case that could not be judged in the time mode of the run",
    )
    omitted: int = needed(_COUNT, "how many events are left out of a long trace")
    trace: tuple[Entry, ...] = needed(array(_entry(), _MOST), "the trace of the case")
    details: Mapping[str, str] = needed(
        _TEXT_BY_NAME,
        "details that the text of an event leaves out, by number; empty if there are no findings",
    )


@frozen(kw_only=True)
class Run:
    """A run. It contains no secrets: tokens are replaced by `[secret]`."""

    schema: str = needed(constant(SCHEMA), "the version of this vocabulary")
    kit: str = needed(_TEXT, "the version of the kit")
    date: str = needed(_TEXT, "when the run ended, in UTC")
    host: str = needed(
        _TEXT, "the system, the processor and the version of Python that ran the kit"
    )
    specification: Specification = needed(
        table(Specification, "a specification"),
        "the rules and cases used to judge the client",
    )
    strict: bool = needed(flag(), "whether proposals count under every profile")
    judged: str = needed(one_of(JUDGED), "which side of the protocol was judged")
    client: Client = needed(table(Client, "a client"), "the client or backend that was judged")
    backend: Backend | None = needed(
        nullable(table(Backend, "a backend")),
        "the backend's address and what the run did there; null for a client",
    )
    seconds: float = needed(
        _SECONDS, "how long the run took, measured by a monotonic clock; not judged"
    )
    time: Time = needed(table(Time, "a time"), "the clock used to judge the run")
    stack: Mapping[str, str] | None = needed(
        nullable(_TEXT_BY_NAME),
        "whether the client's HTTP stack detects a truncated body; null if no case required this",
    )
    bounds: Mapping[str, int] = needed(
        _COUNT_BY_NAME, "how long the kit waited for a backend, in milliseconds; empty for a client"
    )
    partial: Partial | None = needed(
        nullable(table(Partial, "what is missing")),
        "what was not played and why; null if the run is complete",
    )
    shard: Part | None = needed(
        nullable(table(Part, "a shard")), "which part of a run this is; null if it is a whole run"
    )
    profiles: tuple[Profile, ...] = needed(
        array(table(Profile, "a profile")), "the verdicts, by profile"
    )
    not_applicable: tuple[Group, ...] = needed(
        array(table(Group, "a group of cases")),
        "cases that did not apply, grouped by what was missing, the largest group first",
    )
    causes: tuple[Cause, ...] = needed(
        array(table(Cause, "a cause"), _MOST),
        "the causes of the failures, those with the most failures first",
    )
    notes: tuple[str, ...] = needed(_TEXTS, "other remarks for the reader")
    requirements: Mapping[str, Rule] = needed(mapping(table(Rule, "a rule")), "the rules, by id")
    events: tuple[Event, ...] = needed(
        array(table(Event, "an event"), _MOST),
        "every event of every trace, once; `trace` refers to them",
    )
    results: tuple[Result, ...] = needed(
        array(table(Result, "a result"), _MOST), "each case under each profile"
    )


def _check_places(run: Run, _: str) -> None:
    """Refuse an index that is outside the list that it refers to."""
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
                raise ScenarioError(f"causes {n}.results: empty; a cause has at least one failure")
    mistakes.settle()


def _check_place(
    mistakes: Mistakes, where: str, place: int, known: Sequence[object], what: str
) -> None:
    with mistakes.collected():
        if place >= len(known):
            raise ScenarioError(f"{where}: {place} is outside the list of {len(known)} {what}")


RUN: Final[Shape[Run]] = table(Run, "a run", _check_places)
