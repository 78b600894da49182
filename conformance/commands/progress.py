"""Show the progress of a run on a terminal: judged cases, failures, time left."""

import sys
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from conformance.reports.screen import Screen
from conformance.verdict.result import CaseResult


class Judging:
    """Shows a progress bar while cases are judged; use its `bar` as a context manager."""

    def __init__(self, total: int, console: Console, *, shown: bool) -> None:
        self.bar = Progress(
            TextColumn("judging"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not shown,
        )
        self._failed = 0
        self._task = self.bar.add_task("judging", total=total, failed="0 failed")

    @classmethod
    def at_terminal(cls, total: int) -> Self:
        """Return a progress bar that is shown only if standard error is a terminal."""
        # rich alone would also draw a bar if FORCE_COLOR is set
        return cls(total, Screen(stderr=True), shown=sys.stderr.isatty())

    def expect(self, total: int) -> None:
        """Correct the number of cases to judge, which is smaller if profiles are skipped."""
        self.bar.update(self._task, total=total)

    def add(self, result: CaseResult) -> None:
        """Count the result of a case."""
        self.count(failed=result.verdict.fails)

    def count(self, *, failed: bool) -> None:
        """Count a judged case."""
        self._failed += failed
        colour = "[bold red]" if self._failed else ""
        self.bar.update(self._task, advance=1, failed=f"{colour}{self._failed} failed")
