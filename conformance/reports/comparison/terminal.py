"""Print a comparison on one screen: summary, notes, verdicts, and the rules that differ."""

from collections.abc import Mapping
from typing import Final

from attrs import define
from rich.table import Table as Grid
from rich.text import Text

from conformance.plain import cut
from conformance.reports.comparison.contrast import Contrast, Row
from conformance.reports.comparison.sentences import (
    basis,
    cell,
    count_of_cases,
    in_a_sentence,
    step_in_a_line,
    worth_showing,
)
from conformance.reports.screen import Screen
from mock_server.strict.shapes import count_of

_LINES: Final = 20
"""The number of lines that the notes, steps, verdicts and rules should not exceed together."""
_LEAST_ROWS: Final = 4
_MOST_NOTES: Final = 5
_MOST_SIDES: Final = 8
_STYLES: Final[Mapping[int | None, str]] = {2: "red", 1: "yellow", 0: "green", None: "dim"}
_LONGEST: Final = 22


@define
class ShortForm:
    """Prints the most important parts of a comparison."""

    screen: Screen

    def print(self, contrast: Contrast) -> None:
        """Print the comparison."""
        self._say(in_a_sentence(contrast), "bold")
        notes = list(basis(contrast))
        for note in notes[:_MOST_NOTES]:
            self._say(note, "yellow")
        if len(notes) > _MOST_NOTES:
            self._say(
                f"and {count_of(len(notes) - _MOST_NOTES, 'more note')} in the report", "yellow"
            )
        steps = contrast.steps if contrast.is_history else ()
        for step in steps[-_MOST_SIDES:]:
            self._say(step_in_a_line(step), "")
        self.screen.print()
        self.screen.print(self._verdicts(contrast))
        self.screen.print()
        self._rules(contrast, _LINES - len(contrast.sides) - len(notes[:_MOST_NOTES]) - len(steps))
        self._say(count_of_cases(contrast), "")

    def _say(self, line: str, style: str) -> None:
        self.screen.print(Text(line, style=style), soft_wrap=True)

    def _verdicts(self, contrast: Contrast) -> Grid:
        grid = Grid(box=None, pad_edge=False, padding=(0, 2))
        for name in ("", *contrast.profiles, "MUST rules broken"):
            grid.add_column(name, header_style="dim", overflow="fold")
        for n, side in enumerate(contrast.sides):
            ranks = [Text(side.profiles[name].rank) for name in contrast.profiles]
            grid.add_row(Text(side.name, "bold"), *ranks, Text(f"{len(contrast.broken(n))}"))
        return grid

    def _rules(self, contrast: Contrast, room: int) -> None:
        rows = worth_showing(contrast)
        if not rows:
            self._say("No rule is broken in any run.", "green")
            return
        grid = Grid(box=None, pad_edge=False, padding=(0, 2))
        grid.add_column("rule", header_style="dim", no_wrap=True)
        for side in contrast.sides[:_MOST_SIDES]:
            grid.add_column(Text(cut(side.name, _LONGEST)), header_style="dim")
        shown = rows[: max(_LEAST_ROWS, room)]
        for row in shown:
            level = contrast.rule(row.name).level
            cells = [self._cell(row, n) for n, _ in enumerate(contrast.sides[:_MOST_SIDES])]
            grid.add_row(Text(f"{row.name} {level}"), *cells)
        self.screen.print(grid)
        if len(rows) > len(shown):
            self._say(f"and {count_of(len(rows) - len(shown), 'more rule')} in the report", "dim")
        if len(contrast.sides) > _MOST_SIDES:
            self._say(
                f"only the first {_MOST_SIDES} of {len(contrast.sides)} runs are shown", "dim"
            )

    @staticmethod
    def _cell(row: Row, side: int) -> Text:
        worst = cell(row, side)[0]
        return Text(str(worst), _STYLES[worst.severity])
