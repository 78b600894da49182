"""Print the report on the terminal, in a form that first-time users of the kit understand.

It uses the same data as all other reports.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import define
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from conformance.plain import cut, one_line, seen
from conformance.reports import summary
from conformance.reports.digest import (
    Cause,
    causes,
    cells,
    decisive,
    names_its_rule,
    reference_step,
    rules_of,
)
from conformance.reports.screen import Screen
from conformance.strict_data import Json, Table
from mock_server.strict.shapes import count_of

STYLES: Final[Mapping[str, str]] = {
    "pass": "green",
    "fail": "bold red",
    "warn": "yellow",
    "inconclusive": "bold magenta",
    "n/a": "dim",
    "known-failure": "yellow",
    "error": "bold white on red",
}
_RANKS: Final[Mapping[str, tuple[str, str]]] = {
    "conforms": ("CONFORMS", "bold green"),
    "conforms in part": ("conforms", "bold yellow"),
    "conforms except for known failures": ("conforms", "yellow"),
    "does not conform": ("DOES NOT CONFORM", "bold red"),
    "not judged": ("NOT JUDGED", "bold white on red"),
    "not judged in full": ("NOT JUDGED IN FULL", "bold white on red"),
    "nothing ran": ("NOTHING RAN", "dim"),
}
_MOST_IN_FULL: Final = 8
_MOST_SENTENCES: Final = 12
_MOST_FINDINGS: Final = 3
_MOST_NAMES: Final = 6
_LOG_LINES: Final = 12
_LONGEST_VALUE: Final = 1_000
_LEAST_WIDTH: Final = 100


@define
class Report:
    """Prints the report of a run."""

    screen: Screen

    def print(self, run: Mapping[str, Json]) -> None:
        """Print everything: failures first, and the verdict near the end, close to the prompt."""
        top = Table("run", {key: seen(value) for key, value in run.items()})
        results = top.tables("results")
        found = causes(top)
        for cause in found[:_MOST_IN_FULL]:
            self._cause(cause, top)
        for group in top.tables("not_applicable"):
            self._say(one_line(summary.left_out(group)))
        for line in _given_up(results):
            self._say(line)
        if said := summary.missing(top):
            self._say(said, "bold yellow")
        self._say(summary.in_a_sentence(top), "bold")
        self._summary_of(found)
        self.screen.print()
        self.screen.print(_summary(top.tables("profiles")))
        for note in (*summary.all_notes(top), *top.texts("notes")):
            self._say(one_line(note))
        self._say(top.table("specification").text("said"))

    def _summary_of(self, found: Sequence[Cause]) -> None:
        """Print each cause in one sentence, followed by its hints."""
        for cause in found[:_MOST_SENTENCES]:
            style = "yellow" if cause.values.flag("warning") else "red"
            self.screen.print()
            self._say(f"{cause.number}. {one_line(cause.sentence)}", style)
            for hint in cause.hints:
                self._say(f"   {one_line(hint)}")
        if (more := len(found) - _MOST_SENTENCES) > 0:
            self._say(f"   and {count_of(more, 'more cause')}: see a report")

    def _say(self, line: str, style: str = "dim") -> None:
        self.screen.print(Text(line, style=style), soft_wrap=True)

    def _cause(self, cause: Cause, run: Table) -> None:
        result = cause.results[0]
        style = "yellow" if cause.values.flag("warning") else "red"
        self._say(f"{cause.number}. {one_line(cause.sentence)}", f"bold {style}")
        self.screen.print(self._failure(result, run))
        # Not wrapped, so that the command can be copied.
        self._say(f"  rerun it alone  {result.text('rerun')}", "")
        if others := cause.others(_MOST_NAMES):
            self._say(f"  {others}")
        self.screen.print()

    def _failure(self, result: Table, run: Table) -> RenderableType:
        verdict = result.text("verdict")
        head = Text.assemble(
            (f"{verdict.upper()} ", STYLES[verdict]),
            (result.text("case"), "bold"),
            f"  under {result.text('profile')}",
        )
        parts: list[RenderableType] = [Text(f"why it matters  {result.text('why')}", style="dim")]
        parts.append(_rules(result, run.table("requirements")))
        findings = result.tables("findings")
        parts += [
            _finding(finding, named=not names_its_rule(finding, result))
            for finding in findings[:_MOST_FINDINGS]
        ]
        if len(findings) > _MOST_FINDINGS:
            more = count_of(len(findings) - _MOST_FINDINGS, "more finding")
            parts.append(Text(f"and {more}"))
        parts += [Text(f"settled  {self._cut(each)}") for each in result.texts("operations")]
        for line in decisive(result, run, self._width - 6):
            mark, style = (">", "red") if line.here else (" ", "dim")
            parts.append(Text(f"{mark} {line.text}", style=style))
        if step := reference_step(result, run, self._width - 16):
            parts.append(Text(f"the reference {step}", style="green"))
        if where := cells(result):
            parts.append(Text(f"state table  {where}", style="dim"))
        parts += self._log(result)
        return Group(head, *(Padding(part, (0, 0, 0, 2), expand=False) for part in parts))

    @property
    def _width(self) -> int:
        return max(self.screen.width, _LEAST_WIDTH)

    def _cut(self, text: str) -> str:
        return cut(one_line(text), self._width - 12)

    def _log(self, result: Table) -> Iterator[RenderableType]:
        lines = result.text("reason").strip().splitlines()
        if not lines:
            return
        if result.tables("findings"):
            yield Text("the driver's log", style="dim")
        middle = len(lines) - _LOG_LINES
        if middle > 0:
            half = _LOG_LINES // 2
            lines = [*lines[:half], f"… {middle} lines …", *lines[-half:]]
        yield from (Text(f"  {self._cut(each)}", style="dim") for each in lines)


def _pairs() -> Grid:
    """Return an empty grid for names and values; long values wrap instead of being cut off."""
    grid = Grid.grid(padding=(0, 2))
    grid.add_column()
    grid.add_column(overflow="fold")
    return grid


def _rules(result: Table, rules: Table) -> RenderableType:
    grid = _pairs()
    for rule in rules_of(result):
        known = rules.table(rule)
        grid.add_row(Text(f"{rule} {known.text('level')}", style="bold"), Text(known.text("text")))
        grid.add_row("", Text(known.text("source"), style="dim"))
    return grid


def _finding(finding: Table, *, named: bool) -> RenderableType:
    grid = _pairs()
    missed = "  (happened before the rule that this case tests was reached)"
    missed = missed if finding.flag("not_reached") else ""
    head = Text.assemble((finding.text("assertion"), "bold"), (missed, "dim"))
    shown = [head] if named or missed else []
    grid.add_row("  expected", Text(cut(finding.text("expected"), _LONGEST_VALUE)))
    grid.add_row("  actual", Text(cut(finding.text("actual"), _LONGEST_VALUE), style="red"))
    return Group(*shown, grid)


def _summary(profiles: Sequence[Table]) -> RenderableType:
    grid = Grid(box=None, pad_edge=False, padding=(0, 2))
    for name in ("profile", "verdict", "MUST", "SHOULD", "cases"):
        grid.add_column(name, header_style="dim", overflow="fold")
    for profile in profiles:
        name, rank = profile.text("name"), profile.text("rank")
        if rank == "not declared by the driver":
            grid.add_row(name, rank, "-", "-", "-")
            continue
        musts = ("-", "-") if rank == "nothing ran" else _levels(profile)
        said = (Text(each) for each in (*musts, summary.counts(profile)))
        grid.add_row(name, verdict(profile), *said)
    return grid


def _levels(profile: Table) -> tuple[str, str]:
    return summary.level(profile, "MUST"), summary.level(profile, "SHOULD")


def verdict(profile: Table) -> Text:
    """Return the styled verdict on a profile; only a qualified "conforms" is in lower case."""
    rank, words = profile.text("rank"), profile.text("verdict")
    head, style = _RANKS[rank]
    beginning = rank if words.startswith(rank) else "conforms"
    return Text(f"{head}{words.removeprefix(beginning)}", style=style)


def _given_up(results: Sequence[Table]) -> Iterator[str]:
    found: dict[str, int] = {}
    for result in results:
        for each in result.tables("unjudged"):
            said = f"{each.text('word')} {each.text('why')}"
            found[said] = found.get(said, 0) + 1
    return (f"{number} of {said}" for said, number in found.items())
