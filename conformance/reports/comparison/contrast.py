"""Compare runs: their results for each rule and each case, and how these changed.

Only profiles and verdicts that all runs have are compared; the verdicts left out are counted.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from functools import cached_property
from typing import Final

from attrs import define, field, frozen

from conformance.casefile.requirements import PROFILE_NAMES
from conformance.reports.comparison.sides import Key, Rule, Side, is_history
from conformance.verdict.standing import Standing

NOT_COUNTED: Final = "broken, not counted"
NOT_JUDGED: Final = Standing.NOT_JUDGED.value
_BROKEN: Final = frozenset({Standing.BROKEN.value, Standing.KNOWN.value})


class Change(Enum):
    """How the result for a rule or a case changed from an earlier run to a later one."""

    BROKE = "broke"
    FIXED = "fixed"
    STILL = "still broken"
    FOUND = "broken, and was not judged before"
    LOST = "was broken, and is no longer judged"
    WARNED = "a new warning"
    UNWARNED = "no longer a warning"


_OF_SEVERITIES: Final[Mapping[tuple[int | None, int | None], Change]] = {
    (0, 2): Change.BROKE,
    (1, 2): Change.BROKE,
    (2, 0): Change.FIXED,
    (2, 1): Change.FIXED,
    (2, 2): Change.STILL,
    (None, 2): Change.FOUND,
    (2, None): Change.LOST,
    (0, 1): Change.WARNED,
    (1, 0): Change.UNWARNED,
}


@frozen
class Row:
    """The results for a rule or a case, by side and then by profile.

    A severity is 2 for a failure, 1 for a warning, 0 if all is well, and None if nothing was
    judged.
    """

    name: str
    cells: tuple[Mapping[str, str], ...]
    severities: tuple[Mapping[str, int | None], ...]

    @property
    def differs(self) -> bool:
        """Whether the results differ under a profile; sides that were not judged are ignored."""
        known = [
            {each[profile] for each in self.severities} - {None} for profile in self.severities[0]
        ]
        return any(len(found) > 1 for found in known)

    @property
    def worst(self) -> int:
        """The largest severity."""
        return max((found or 0 for each in self.severities for found in each.values()), default=0)

    @property
    def judged(self) -> bool:
        """Whether the rule or case was judged on at least one side."""
        return any(found is not None for each in self.severities for found in each.values())

    def is_broken_on(self, side: int) -> bool:
        """Return whether the rule is broken on a side, and this counts as a failure there."""
        return 2 in self.severities[side].values()  # noqa: PLR2004 - see above

    def changes(self) -> Mapping[Change, tuple[str, ...]]:
        """Return the changes from the first side to the last, each with the profiles it affects."""
        found: dict[Change, list[str]] = {}
        before, after = self.severities[0], self.severities[-1]
        for profile, was in before.items():
            change = _OF_SEVERITIES.get((was, after[profile]))
            if change is not None:
                found.setdefault(change, []).append(profile)
        return {change: tuple(profiles) for change, profiles in found.items()}


@define
class Contrast:
    """A comparison of two or more runs."""

    sides: tuple[Side, ...]
    profiles: tuple[str, ...] = field(init=False)
    """The profiles that were judged in every run."""
    keys: tuple[Key, ...] = field(init=False)
    """The pairs of case and profile for which every run has a verdict."""

    def __attrs_post_init__(self) -> None:
        """Find the profiles and verdicts that all sides have in common."""
        self.profiles = tuple(
            name for name in PROFILE_NAMES if all(name in side.profiles for side in self.sides)
        )
        first, *others = self.sides
        self.keys = tuple(
            key
            for key in first.verdicts
            if key[1] in self.profiles and all(key in side.verdicts for side in others)
        )

    @property
    def is_history(self) -> bool:
        """Whether all runs are of the same client, or of the same backend."""
        return is_history(self.sides)

    @property
    def judged(self) -> str:
        """The side of the protocol that was judged: `client` or `backend`."""
        return self.sides[0].judged

    @cached_property
    def rules(self) -> Sequence[Row]:
        """One row for every rule that was judged in at least one run."""
        standings = [_standings(side, self.keys, self.profiles) for side in self.sides]
        names = dict.fromkeys(
            rule for each in standings for found in each.values() for rule in found
        )
        order = {rule: n for side in self.sides for n, rule in enumerate(side.rules)}
        rows = [
            self._row(
                rule,
                [{p: each[p].get(rule, NOT_JUDGED) for p in self.profiles} for each in standings],
                self._severity_of(rule),
            )
            for rule in sorted(names, key=lambda rule: order.get(rule, len(order)))
        ]
        return [row for row in rows if row.judged]

    @cached_property
    def cases(self) -> Sequence[Row]:
        """One row for every case for which all sides have a verdict."""
        profiles: dict[str, list[str]] = {}
        for case, profile in self.keys:
            profiles.setdefault(case, []).append(profile)
        return [self._case(case, own) for case, own in profiles.items()]

    def _case(self, case: str, profiles: Sequence[str]) -> Row:
        found = [{p: side.verdicts[case, p] for p in profiles} for side in self.sides]
        return Row(
            case,
            tuple({p: each.word for p, each in own.items()} for own in found),
            tuple({p: each.severity for p, each in own.items()} for own in found),
        )

    def _row(
        self, name: str, cells: Sequence[Mapping[str, str]], severity: Callable[[str], int | None]
    ) -> Row:
        judged = [p for p in self.profiles if any(each[p] != NOT_JUDGED for each in cells)]
        kept = [{p: each[p] for p in judged} for each in cells]
        levels = [{p: severity(word) for p, word in each.items()} for each in kept]
        return Row(name, tuple(kept), tuple(levels))

    def _severity_of(self, rule: str) -> Callable[[str], int | None]:
        binds = self.rule(rule).level == "MUST"

        def severity(word: str) -> int | None:
            if word == NOT_JUDGED:
                return None
            if word in _BROKEN:
                return 2 if binds else 1
            return 1 if word == NOT_COUNTED else 0

        return severity

    def rule(self, name: str) -> Rule:
        """Return the rule with this id, as recorded in the last run that contains it."""
        found = (side.rules[name] for side in reversed(self.sides) if name in side.rules)
        return next(found, Rule(id=name, level="", text=""))

    def broken(self, side: int) -> Sequence[str]:
        """Return the MUST rules that are broken on a side, apart from those that do not count."""
        return [row.name for row in self.rules if row.is_broken_on(side)]

    @cached_property
    def steps(self) -> "Sequence[Contrast]":
        """The comparison of each run with the one before it; empty if there are only two runs."""
        pairs = list(zip(self.sides, self.sides[1:], strict=False))
        return [Contrast(pair) for pair in pairs] if len(pairs) > 1 else ()

    @cached_property
    def whole(self) -> "Contrast":
        """The comparison of the first run with the last."""
        first, *between, last = self.sides
        return Contrast((first, last)) if between else self

    def only_in(self, side: Side) -> int:
        """Return how many of a side's verdicts the comparison leaves out."""
        return len(side.verdicts.keys() - set(self.keys))


def changed(rows: Sequence[Row], change: Change) -> Mapping[str, tuple[str, ...]]:
    """Return the names of the rows that changed in this way, each with the profiles affected."""
    found = ((row.name, row.changes().get(change, ())) for row in rows)
    return {name: profiles for name, profiles in found if profiles}


def _standings(
    side: Side, keys: Collection[Key], profiles: Sequence[str]
) -> Mapping[str, Mapping[str, str]]:
    """Return each rule's standing under each profile, based only on these verdicts."""
    broken: dict[str, set[str]] = {profile: set() for profile in profiles}
    known: dict[str, set[str]] = {profile: set() for profile in profiles}
    about: dict[str, set[str]] = {profile: set() for profile in profiles}
    for case, profile in keys:
        verdict = side.verdicts[case, profile]
        (known if verdict.word == "known-failure" else broken)[profile].update(verdict.cited)
        if verdict.severity is not None:
            about[profile].update(verdict.requires)

    def standing(profile: str, rule: str, whole: str) -> str:
        if rule in broken[profile]:
            uncounted = rule in side.profiles[profile].uncounted
            return NOT_COUNTED if uncounted else Standing.BROKEN.value
        if rule in known[profile]:
            return Standing.KNOWN.value
        held = rule in about[profile] and whole != NOT_JUDGED
        return Standing.HOLDS.value if held else NOT_JUDGED

    return {
        profile: {
            rule: standing(profile, rule, whole)
            for rule, whole in side.profiles[profile].standings.items()
        }
        for profile in profiles
    }
