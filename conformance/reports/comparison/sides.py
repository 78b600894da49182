"""What a comparison needs from a saved run: its rules, and its verdicts by case and profile."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from conformance.plain import cut, one_line, visible
from conformance.reports.summary import UNRANKED, missing
from conformance.strict_data import Json, Table, UsageError

Key = tuple[str, str]
"""The id of a case and the name of a profile."""
_LONGEST_NAME: Final = 40


@frozen(kw_only=True)
class Verdict:
    """The verdict on one case under one profile, with its first finding."""

    word: str
    requires: tuple[str, ...]
    cited: tuple[str, ...]
    """The rules that the findings cite, starting with those that the first finding cites."""
    finding: tuple[str, str, str] | None
    """The assertion, the expected and the actual result; None if there is no finding."""

    @property
    def severity(self) -> int | None:
        """0 for a pass, 1 for a warning, 2 for a worse verdict; None if the case was not judged."""
        return _SEVERITY.get(self.word)


_SEVERITY: Final[Mapping[str, int]] = {
    "pass": 0,
    "warn": 1,
    "fail": 2,
    "inconclusive": 2,
    "error": 2,
    "known-failure": 2,
}


@frozen(kw_only=True)
class Rule:
    """A rule of the specification."""

    id: str
    level: str
    text: str


@frozen(kw_only=True)
class Profile:
    """The verdict on the client or backend under one profile, as recorded in the run."""

    name: str
    rank: str
    verdict: str
    standings: Mapping[str, str]
    uncounted: frozenset[str]
    """Broken rules that do not count under the profile."""


@frozen(kw_only=True)
class Side:
    """One saved run in a comparison."""

    name: str
    """The name of the run in the comparison, different for each side."""
    path: Path
    judged: str
    """The side of the protocol that was judged: `client` or `backend`."""
    client: str
    """The name of the client or backend."""
    version: str
    kit: str
    specification: str
    cases: str
    """The hash of all cases of the specification version, chosen or not."""
    time: str
    strict: bool
    partial: str
    profiles: Mapping[str, Profile]
    """The profiles that were judged."""
    rules: Mapping[str, Rule]
    verdicts: Mapping[Key, Verdict]


def sides_of(runs: Iterable[tuple[Path, Mapping[str, Json]]]) -> tuple[Side, ...]:
    """Return the sides of a comparison, each with a unique name; read one run at a time."""
    sides = [_side(path, Table("run", run)) for path, run in runs]
    stems = [side.path.stem for side in sides]
    paths = [str(side.path) for side in sides]
    places = [f"run {n}" for n, _ in enumerate(sides, 1)]
    versions = [side.version for side in sides]
    names = next(each for each in (versions, stems, paths, places) if _tells_apart(each))
    if not is_history(sides):
        clients = [side.client for side in sides]
        both = [f"{side.client} {side.version}" for side in sides]
        more = (
            [f"{client} ({each})" for client, each in zip(clients, own, strict=True)]
            for own in (stems, paths, places)
        )
        names = next(each for each in (clients, both, *more) if _tells_apart(each))
    return tuple(evolve(side, name=_shown(name)) for side, name in zip(sides, names, strict=True))


def check_same_side(sides: Sequence[Side]) -> None:
    """Raise UsageError if some runs judge clients and others judge backends."""
    first = sides[0]
    for side in sides[1:]:
        if side.judged != first.judged:
            raise UsageError(
                str(side.path),
                f"judges a {side.judged}, but {first.path} judges a {first.judged}; "
                "compare clients with clients and backends with backends",
            )


def is_history(sides: Sequence[Side]) -> bool:
    """Return whether all runs judge the same client or the same backend."""
    return len({side.client for side in sides}) == 1


def _tells_apart(names: Sequence[str]) -> bool:
    return all(names) and len({_shown(name) for name in names}) == len(names)


def _shown(name: str) -> str:
    return cut(one_line(name), _LONGEST_NAME)


def _side(path: Path, run: Table) -> Side:
    client, specification = run.table("client"), run.table("specification")
    judged = [each for each in run.tables("profiles") if each.text("rank") not in UNRANKED]
    rules = run.table("requirements")
    return Side(
        name="",
        path=path,
        judged=run.text("judged"),
        client=one_line(client.text("implementation")),
        version=one_line(client.text("version")),
        kit=one_line(run.text("kit")),
        specification=one_line(specification.text("version")),
        cases=one_line(specification.text("cases")),
        time=one_line(run.table("time").text("mode")),
        strict=run.flag("strict"),
        partial=missing(run),
        profiles={visible(each.text("name")): _profile(each) for each in judged},
        rules={visible(each): _rule(visible(each), rules.table(each)) for each in rules.values},
        verdicts=dict(map(_verdict, run.tables("results"))),
    )


def _profile(profile: Table) -> Profile:
    rules = profile.table("rules")
    return Profile(
        name=one_line(profile.text("name")),
        rank=profile.text("rank"),
        verdict=one_line(profile.text("verdict")),
        standings={visible(each): rules.text(each) for each in rules.values},
        uncounted=frozenset(map(visible, profile.table("apart").texts("broken"))),
    )


def _rule(name: str, rule: Table) -> Rule:
    return Rule(id=name, level=rule.text("level"), text=one_line(rule.text("text")))


def _verdict(result: Table) -> tuple[Key, Verdict]:
    findings = result.tables("findings")
    cited = (visible(rule) for each in findings for rule in each.texts("requires"))
    first = findings[0] if findings else None
    words = None
    if first is not None:
        words = (
            one_line(first.text("assertion")),
            _value(first, "expected"),
            _value(first, "actual"),
        )
    verdict = Verdict(
        word=result.text("verdict"),
        requires=tuple(map(visible, result.texts("requires"))),
        cited=tuple(dict.fromkeys(cited)),
        finding=words,
    )
    return (visible(result.text("case")), visible(result.text("profile"))), verdict


def _value(finding: Table, key: str) -> str:
    return cut(one_line(finding.text(key)), 300)
