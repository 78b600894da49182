"""What a soak has shown, as text for people and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from tests.soak.memory import FLAT, Growth, Kind, Slope

_MB: Final = 1e6


@frozen
class Left:
    """How many of something there were before the followers, and after them."""

    what: str
    before: int
    after: int


@frozen(kw_only=True)
class Report:
    """One run on one carrier."""

    carrier: str
    seconds: float
    seed: int
    counts: Mapping[str, int]
    first_error: str
    jobs_made: int
    """The number of the last job that the backend made, of those that followers know."""
    unfinished: int
    """Followers that were still busy long after they were to end."""
    fired: Mapping[str, int]
    memory: Sequence[tuple[str, Kind, Slope | None]]
    left: Sequence[Left]
    interrupted: bool
    gone: str | None
    """What ended the mock before the run was over."""

    def count(self, name: str) -> int:
        """Return a count."""
        return self.counts.get(name, 0)

    @property
    def is_whole(self) -> bool:
        """Whether the run went on to its end."""
        return not self.interrupted and self.gone is None

    @property
    def broken(self) -> list[str]:
        """Return the promises that were broken."""
        found = [f"{self.count(each)} events {each}" for each in ("lost", "duplicated")]
        found = [each for each in found if not each.startswith("0 ")]
        repeated, sent = self.count("repeated"), self.fired.get("frame twice", 0)
        if self.is_whole and repeated > sent:
            found.append(f"{repeated} events repeated, of {sent} that the backend sent twice")
        if self.count("failures"):
            found.append(
                f"{self.count('failures')} jobs not followed to their end: {self.first_error}"
            )
        if self.is_whole and self.unfinished:
            found.append(f"{self.unfinished} followers did not end")
        if self.is_whole and not self.unfinished and self.jobs_made != self.count("jobs"):
            found.append(f"{self.jobs_made} jobs made by {self.count('jobs')} creates")
        for whose, kind, slope in self.memory:
            if slope is not None and slope.growth is Growth.GROWING:
                found.append(f"{whose}, {kind.value}: {_percent(slope.hourly)} an hour")
        if self.gone is None:
            found += [
                f"{each.after} {each.what} at the end, {each.before} at the start"
                for each in self.left
                if each.after > each.before
            ]
        return found

    def text(self) -> str:
        """Return the summary for people."""
        count, rate = self.count, self.count("frames") / max(self.seconds, 0.001)
        whom = f"{count('followers'):,} followers, {self.seconds:.0f} s, seed {self.seed}"
        ends = f"{count('completed'):,} completed, {count('cancelled'):,} cancelled"
        repeated = f"{count('repeated'):,} repeated because the backend sent them twice"
        lines = [
            f"{self.carrier}: {whom}",
            f"  jobs        {count('jobs'):,} ({ends}; {count('aborted'):,} waits aborted)",
            f"  frames      {count('frames'):,} ({rate:,.0f}/s), {count('reconnects'):,} reconnects",
            f"  events      {count('lost'):,} lost, {count('duplicated'):,} duplicated, {repeated}",
            f"  faults      {_listed(self.fired)}",
            f"  memory      change in an hour with its 95% interval; flat is below {FLAT:.0%}",
            *(f"              {_slope(*each)}" for each in self.memory),
            *(f"  {each.what}: {each.before} before, {each.after} after" for each in self.left),
        ]
        if self.is_whole:
            found = self.broken
            lines.append(f"  {'BROKEN: ' + '; '.join(found) if found else 'every promise kept'}")
        return "\n".join(lines) + "\n"

    def as_dict(self) -> Mapping[str, object]:
        """Return the run as JSON."""
        return {
            "carrier": self.carrier,
            "seconds": round(self.seconds, 1),
            "seed": self.seed,
            **self.counts,
            "lost": self.count("lost"),
            "duplicated": self.count("duplicated"),
            "frames_per_second": round(self.count("frames") / max(self.seconds, 0.001), 1),
            "faults": dict(self.fired),
            "memory": {
                f"{whose}, {kind.value}": _figures(slope) for whose, kind, slope in self.memory
            },
            "left": {each.what: [each.before, each.after] for each in self.left},
            "broken": self.broken,
        }


def _percent(share: float) -> str:
    return f"{100 * share:+.1f}%"


def _listed(counts: Mapping[str, int]) -> str:
    named = [f"{count:,} {name}" for name, count in counts.items()]
    rows = [named[at : at + 6] for at in range(0, len(named), 6)]
    return ",\n              ".join(", ".join(row) for row in rows) or "not known"


def _slope(whose: str, kind: Kind, slope: Slope | None) -> str:
    what = f"{whose}, {kind.value}"
    if slope is None:
        return f"{what}: too few samples"
    level = f"{slope.level:,.0f}" if kind is Kind.OBJECTS else f"{slope.level / _MB:.1f} MB"
    around = f"{_percent(slope.low)} to {_percent(slope.high)}"
    return (
        f"{what:<24} {level:>10}, {_percent(slope.hourly)} an hour ({around}): {slope.growth.value}"
    )


def _figures(slope: Slope | None) -> Mapping[str, object] | None:
    if slope is None:
        return None
    return {
        "level": round(slope.level),
        "hourly": round(slope.hourly, 4),
        "low": round(slope.low, 4),
        "high": round(slope.high, 4),
        "measured_seconds": round(slope.seconds, 1),
        "growth": slope.growth.value,
    }
