"""Merge the shards of a run into one run, and derive its verdicts from all results.

The shards must be from the same run, each must be present exactly once, and each must have the
results of its own cases. If a shard was stopped before it had played all of its cases, the merged
run is partial, like a run without shards that was stopped.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Final

from attrs import define, field, frozen

from arkor_proto import __version__
from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement
from conformance.casefile.selection import select
from conformance.diagnosis.broken_clients import broken_clients, play_of
from conformance.diagnosis.causes import Beginning, Failure, causes, passed_plays
from conformance.diagnosis.diagnose import Diagnosis, rank_of
from conformance.drive.protocol import Identity
from conformance.reports.run_json import words
from conformance.reports.run_json.circumstances import Circumstances
from conformance.reports.run_json.explained import Explained
from conformance.reports.run_json.pieces import Piece, check_alike, check_complete
from conformance.reports.run_json.record import summary
from conformance.reports.run_json.restored import restored
from conformance.reports.run_json.saved import Saved
from conformance.runner.run import Outcome, Plan, assignments
from conformance.runner.stack import Sight, Stack
from conformance.strict_data import Json, ReadingError, Table
from conformance.verdict.known_failures import declared, weigh
from conformance.verdict.scope import Scope, digest, pinned
from conformance.verdict.time_modes import DIVISOR, TimeMode, Timing

_SIGHTS: Final[Mapping[str, Sight]] = {sight.value: sight for sight in Sight}


@frozen
class Merged:
    """A merged run: its `run.json`, its outcome, and the stale entries of its baseline."""

    data: Mapping[str, Json]
    outcome: Outcome
    stale: Sequence[str]


@frozen
class _Told:
    """One result and its shard's events, both as parsed and as written in the shard's file."""

    result: words.Result
    data: Mapping[str, Json]
    events: Sequence[words.Event]
    written: Sequence[Table]


def merge(
    runs: Sequence[Saved],
    requirements: Mapping[str, Requirement],
    catalogue: Sequence[Case],
    own: Sequence[Case],
    today: date,
) -> Merged:
    """Merge the shards of a run that chose its cases from `catalogue`; `own` are the kit's cases.

    Raise ReadingError if they are not shards of one run, or if anything is missing or duplicated.
    """
    pieces = sorted(map(Piece.of, runs), key=lambda piece: piece.part.number)
    check_alike(pieces)
    run, part = pieces[0].run, pieces[0].part
    cases = pinned(run.specification.version, requirements, catalogue)
    _check_kit(pieces[0], cases)
    _check_rules(pieces, requirements)
    chosen = select(cases, part.cases, part.filters)
    plan = Plan(command=run.client.command, cases=chosen, profiles=part.profiles)
    check_complete(pieces, assignments(plan))
    told = _in_order(pieces, plan)
    outcome = _outcome(pieces, plan, told)
    scope = Scope.of(cases, chosen, plan.profiles, run.specification.version, strict=run.strict)
    explained = Explained.of(_diagnosis(pieces, told, outcome, requirements), outcome.results)
    known = (*part.known, *declared(outcome.identity.declared_gaps))
    stale = weigh(outcome.results, known, (*cases, *own), today).stale
    rest = summary(
        outcome,
        requirements,
        plan.command,
        scope,
        explained=explained,
        circumstances=_circumstances(pieces),
    )
    return Merged({**rest, **_results(told, explained)}, outcome, stale)


def _circumstances(pieces: Iterable[Piece]) -> Circumstances:
    """Return the latest of the shards' dates, and all machines that the shards ran on."""
    runs = [piece.run for piece in pieces]
    hosts = "; ".join(dict.fromkeys(run.host for run in runs))
    return Circumstances(max(run.date for run in runs), hosts)


def _diagnosis(
    pieces: Iterable[Piece],
    told: Iterable[_Told],
    outcome: Outcome,
    requirements: Mapping[str, Requirement],
) -> Diagnosis:
    """Find the causes of all failures, using the first wrong step that is recorded for each."""
    found = [
        Failure(
            place=place,
            play=play_of(each.case, each.profile),
            rule=next((rule for finding in each.findings for rule in finding.requires), ""),
            verdict=each.verdict,
            begins=Beginning(
                kind=each.begins.kind, said=each.begins.said, occasion=each.begins.occasion
            ),
        )
        for place, each in enumerate(each.result for each in told)
        if each.begins is not None
    ]
    notes = dict.fromkeys(note for piece in pieces for note in piece.run.notes)
    return Diagnosis(
        causes=causes(
            found,
            passed_plays(outcome.results),
            rank_of(requirements),
            broken_clients(),
        ),
        failures=tuple(found),
        note="; ".join(notes),
    )


def _check_kit(piece: Piece, cases: Sequence[Case]) -> None:
    """Raise ReadingError unless a shard comes from this version of the kit and from these cases."""
    kit, about = piece.run.kit, piece.run.specification
    if kit != __version__:
        raise ReadingError(
            piece.where,
            f"written by version {kit} of the kit; merge it with that version, not {__version__}",
        )
    if about.cases == digest(cases):
        return
    if piece.part.files:
        options = " ".join(f"--file {name}" for name in piece.part.files)
        problem = f"its cases differ from the ones loaded; pass the files of its run: {options}"
    else:
        problem = (
            "its cases differ from this kit's; merge it with the version of the kit that wrote it"
        )
    raise ReadingError(piece.where, problem)


def _check_rules(pieces: Iterable[Piece], requirements: Mapping[str, Requirement]) -> None:
    """Raise ReadingError if a finding cites a rule that does not exist."""
    for piece in pieces:
        for number, result in enumerate(piece.run.results, 1):
            for rule in (rule for finding in result.findings for rule in finding.requires):
                if rule not in requirements:
                    raise ReadingError(piece.where, f"results {number}: {rule!r} is not a rule")


def _in_order(pieces: Iterable[Piece], plan: Plan) -> Sequence[_Told]:
    """Return the results of all shards in the order in which an unsharded run plays the cases."""
    found: dict[tuple[str, str], _Told] = {}
    for piece in pieces:
        written = Table(piece.where, piece.saved.data)
        events = written.tables("events")
        for result, table in zip(piece.run.results, written.tables("results"), strict=True):
            told = _Told(result, table.values, piece.run.events, events)
            found[result.case, result.profile] = told
    keys = [(each.case.id, each.profile) for each in assignments(plan)]
    return [found[key] for key in keys if key in found]


def _results(told: Iterable[_Told], explained: Explained) -> Mapping[str, Json]:
    """Return the shards' results, with their causes set anew, and one list of events for all."""
    events = _Events()
    results: list[Json] = []
    for place, each in enumerate(told):
        found: dict[str, Json] = {**each.data, "cause": explained.causes_of.get(place)}
        found["trace"] = events.trace(each, each.result.trace)
        if each.result.reference is not None:
            reference = Table("reference", each.data).table("reference").values
            trace = events.trace(each, each.result.reference.trace)
            found["reference"] = {**reference, "trace": trace}
        results.append(found)
    return {"events": events.written, "results": results}


@define
class _Events:
    """The distinct events of all shards."""

    written: list[Json] = field(factory=list[Json])
    _places: dict[words.Event, int] = field(factory=dict[words.Event, int])

    def trace(self, told: _Told, entries: Iterable[words.Entry]) -> list[Json]:
        """Return a trace that refers to its events by their indices in `written`."""
        found: list[Json] = []
        for entry in entries:
            place = self._places.setdefault(told.events[entry.place], len(self._places))
            if place == len(self.written):
                self.written.append(told.written[entry.place].values)
            found.append([entry.number, entry.ms, place])
        return found


def _outcome(pieces: Sequence[Piece], plan: Plan, told: Sequence[_Told]) -> Outcome:
    run = pieces[0].run
    client = run.client
    identity = Identity(
        implementation=client.implementation,
        version=client.version,
        profiles=client.profiles,
        capabilities=frozenset(client.capabilities),
        declared_gaps=client.declared_gaps,
    )
    timing = _timing(pieces[0])
    cases = {case.id: case for case in plan.cases}
    total = sum(each.profile in client.profiles for each in assignments(plan))
    left = total - sum(each.result.profile in client.profiles for each in told)
    why = [
        f"{piece.shard}: {piece.run.partial.why}"
        for piece in pieces
        if piece.run.partial is not None
    ]
    return Outcome(
        identity=identity,
        results=[restored(each.result, cases[each.result.case], timing) for each in told],
        seconds=sum(piece.run.seconds for piece in pieces),
        stopped="; ".join(why) if left else "",
        left=left,
        total=total,
        timing=timing,
        stack=_stack([piece.run.stack for piece in pieces]),
    )


def _timing(piece: Piece) -> Timing:
    mode, said = TimeMode(piece.run.time.mode), piece.run.time.said
    for divisor in (1, DIVISOR):
        if str(found := Timing(mode, divisor)) == said:
            return found
    raise ReadingError(piece.where, f"time.said: {said!r} does not describe {mode.value} time")


def _stack(found: Iterable[Mapping[str, str] | None]) -> Stack | None:
    """Return the start-up probe's result from the first shard that has one; None if none has."""
    for each in found:
        if each is not None:
            sights = {name: _SIGHTS[said] for name, said in each.items() if said in _SIGHTS}
            return Stack(sights, each.get("why", ""))
    return None
