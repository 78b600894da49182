"""Check before a merge that all shards are from one run and that each is present exactly once."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from conformance.casefile.shards import Shard, shard_of
from conformance.plain import cut, one_line
from conformance.reports.run_json import words
from conformance.reports.run_json.saved import Saved
from conformance.reports.summary import BACKEND
from conformance.runner.player import Assignment
from conformance.strict_data import Json, ReadingError
from conformance.verdict.known_failures import Known
from conformance.verdict.scope import Scope

_NAMED: Final = 3
_SHOWN: Final = 12
_LONGEST: Final = 120
_MERGE: Final = "report merge"


@frozen
class Piece:
    """A saved run that is a shard."""

    saved: Saved
    part: words.Part

    @classmethod
    def of(cls, saved: Saved) -> "Piece":
        """Wrap a saved run that is a shard; raise ReadingError if it is not one."""
        if saved.run.judged == BACKEND:
            raise ReadingError(
                saved.where,
                "is a run against a backend; only a run against a client can be split into shards",
            )
        part = saved.run.shard
        if part is None:
            raise ReadingError(saved.where, "is not a shard: it was run without --shard")
        if part.number > part.of:
            raise ReadingError(saved.where, f"shard {part.number} of {part.of} does not exist")
        return cls(saved, part)

    @property
    def run(self) -> words.Run:
        """The content of the saved run."""
        return self.saved.run

    @property
    def shard(self) -> Shard:
        """The number of the shard, and how many shards there are."""
        return Shard(self.part.number, self.part.of)

    @property
    def where(self) -> str:
        """The path of the file, for messages."""
        return self.saved.where


def part_of(
    shard: Shard,
    scope: Scope,
    *,
    ids: Sequence[str],
    patterns: Sequence[str],
    profiles: Sequence[str],
    known: Sequence[Known],
) -> Mapping[str, Json]:
    """Return everything that a merge needs to know about a shard, as plain data."""
    return {
        "number": shard.number,
        "of": shard.of,
        "cases": list(ids),
        "filters": list(patterns),
        "files": list(scope.files),
        "profiles": list(profiles),
        "known": [each.plain() for each in known],
    }


def refuse(mistakes: Sequence[ReadingError]) -> None:
    """Raise ReadingError with all mistakes, if there are any."""
    if mistakes:
        raise ReadingError(mistakes[0].where, mistakes[0].problem, mistakes[1:])


def check_alike(pieces: Sequence[Piece]) -> None:
    """Raise ReadingError if the shards are not all from one run; the error lists what differs."""
    first = pieces[0]
    found: list[ReadingError] = []
    for piece in pieces[1:]:
        differing = [
            (what, ours, theirs)
            for (what, ours), (_, theirs) in zip(_kind(piece), _kind(first), strict=True)
            if ours != theirs
        ]
        if differing:
            what, ours, theirs = differing[0]
            here, there = _short(ours), _short(theirs)
            problem = (
                f"is from another run: its {what} is {here}, but in {first.where} it is {there}"
            )
            found.append(ReadingError(piece.where, problem))
    probed = [piece for piece in pieces if piece.run.stack is not None]
    found += [
        ReadingError(piece.where, f"its client's HTTP stack differs from the one in {other.where}")
        for piece, other in ((piece, probed[0]) for piece in probed[1:])
        if piece.run.stack != other.run.stack
    ]
    refuse(found)


def _kind(piece: Piece) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each property that all shards of a run must share."""
    run, part = piece.run, piece.part
    yield "kit", f"version {run.kit}"
    yield "specification", f"version {run.specification.version}"
    yield "set of cases", run.specification.cases[:_SHOWN]
    yield "number of shards", str(part.of)
    yield "choice of cases", _told((*part.cases, *part.filters))
    yield "choice of profiles", _told(part.profiles)
    yield "--strict", "on" if run.strict else "off"
    yield "time", run.time.said
    yield "client", f"{run.client.implementation} {run.client.version}"
    yield "set of client profiles", _told(run.client.profiles)
    yield "set of client capabilities", _told(sorted(run.client.capabilities))
    yield "set of declared_gaps", _told(sorted(run.client.declared_gaps))
    yield "baseline", _told([str(each) for each in part.known])


def _short(text: str) -> str:
    return cut(one_line(text), _LONGEST)


def _told(names: Sequence[str]) -> str:
    return ", ".join(names) or "empty"


def check_complete(pieces: Sequence[Piece], planned: Sequence[Assignment]) -> None:
    """Raise ReadingError if a shard, or a case of a shard, is missing or duplicated."""
    of = pieces[0].part.of
    given: dict[int, list[str]] = {}
    for piece in pieces:
        given.setdefault(piece.part.number, []).append(piece.where)
    needed: dict[int, set[tuple[str, str]]] = {}
    for each in planned:
        mine = needed.setdefault(shard_of(each.case.id, of), set())
        mine.add((each.case.id, each.profile))
    found = [
        ReadingError(_MERGE, f"shard {number} of {of} was given more than once: {', '.join(files)}")
        for number, files in given.items()
        if len(files) > 1
    ]
    if missing := sorted(set(needed) - set(given)):
        found.append(ReadingError(_MERGE, _missing(missing, of)))
    for piece in pieces:
        found += _check_cases(piece, needed.get(piece.part.number, set()))
    refuse(found)


def _missing(numbers: Sequence[int], of: int) -> str:
    if len(numbers) == 1:
        return f"shard {numbers[0]} of {of} is missing; run it with --shard {numbers[0]}/{of}"
    names = ", ".join(map(str, numbers[:_SHOWN]))
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"of {of} shards, these are missing: {names}{more}; run each with --shard I/{of}"


def _check_cases(piece: Piece, needed: set[tuple[str, str]]) -> Iterator[ReadingError]:
    """Yield an error for each kind of mistake: repeated cases, foreign cases, missing cases."""
    counted = Counter((result.case, result.profile) for result in piece.run.results)
    duplicated = [key for key, number in counted.items() if number > 1]
    foreign = [key for key in counted if key not in needed]
    declared = piece.run.client.profiles
    missing = [key for key in sorted(needed - set(counted)) if key[1] in declared]
    left = 0 if piece.run.partial is None else piece.run.partial.left
    if duplicated:
        yield ReadingError(piece.where, f"has repeated cases: {_named(duplicated)}")
    if foreign:
        yield ReadingError(
            piece.where, f"has cases that do not belong to {piece.shard}: {_named(foreign)}"
        )
    if len(missing) != left:
        but = f", but says that it left out {left}" if left else ""
        which = f": {_named(missing)}" if missing else ""
        yield ReadingError(piece.where, f"lacks {len(missing)} of its cases{but}{which}")


def _named(keys: Sequence[tuple[str, str]]) -> str:
    shown = ", ".join(_short(f"{case}@{profile}") for case, profile in keys[:_NAMED])
    return shown + (f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else "")
