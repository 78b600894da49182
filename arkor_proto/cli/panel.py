"""The live panel on a terminal: the job's progress, its losses, and the connection's state.

Lines are printed above the panel and stay on the screen. After each line the last rendering of the
panel is printed again; a thread renders a new one at intervals, so that the panel costs little time
even in a long replay.
"""

import math
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

from attrs import define, field
from rich.console import Console, RenderableType
from rich.panel import Panel as Frame
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from arkor_proto._text import printable
from arkor_proto._types import TrainingEvent
from arkor_proto.cli.figures import BLOCKS, Figures, duration, figure, sparkline

_REFRESH: Final = 0.25
"""The time between two renderings, in seconds."""
_LEAST_COLUMNS: Final = 40
_LEAST_ROWS: Final = 10
_BAR: Final = 30
_TREND: Final = 30
_ASCII: Final = "_.-=+*#"


@define(eq=False)
class Panel:
    """A panel below a terminal's other output. Every method may be called from any thread."""

    console: Console
    figures: Figures
    clock: Callable[[], float] = time.monotonic
    title: str = ""
    reconnects: int = field(init=False, default=0)
    _begun: float = field(init=False)
    _heard: float | None = field(init=False, default=None)
    _due: float | None = field(init=False, default=None)
    _picture: str = field(init=False, default="")
    """The last rendering of the panel."""
    _height: int = field(init=False, default=0)
    """The number of lines that the panel occupies on the screen; 0 while it is hidden."""
    _lock: threading.Lock = field(init=False, factory=threading.Lock)
    _stopped: threading.Event = field(init=False, factory=threading.Event)

    def __attrs_post_init__(self) -> None:
        self._begun = self.clock()

    def start(self) -> None:
        """Start showing the panel."""
        self.draw()
        threading.Thread(target=self._refresh, name="arkor-panel", daemon=True).start()

    def stop(self) -> None:
        """Remove the panel for good."""
        self._stopped.set()
        with self._lock:
            self._put("")
            self._picture = ""

    @contextmanager
    def above(self) -> Generator[None]:
        """Hide the panel while the block prints lines; then show it again below them."""
        with self._lock:
            self._put("")
            yield
            self._put(self._picture)

    def take(self, event: TrainingEvent) -> None:
        """Update the figures from an event."""
        with self._lock:
            self._heard, self._due = self.clock(), None
            self.figures.take(event, self._heard)

    def reconnecting(self, delay: float) -> None:
        """Show the time until the next attempt; `delay` is in seconds."""
        with self._lock:
            self.reconnects += 1
            self._due = self.clock() + delay
        self.draw()

    def draw(self) -> None:
        """Render the panel again and replace the last rendering on the screen."""
        with self._lock:
            if self._stopped.is_set():
                return
            now = self.clock()
            with self.console.capture() as captured:
                self.console.print(self._frame(now))
            self._picture = captured.get()
            self._put(self._picture)

    def _refresh(self) -> None:
        with suppress(OSError, ValueError):  # the next printed line reports it
            while not self._stopped.wait(_REFRESH):
                self.draw()

    def _put(self, picture: str) -> None:
        """Replace the rendering on the screen with `picture`; "" removes it."""
        wiped = f"\r\x1b[{self._height}A\x1b[J" if self._height else ""
        self._height = picture.count("\n")
        if wiped or picture:
            self.console.file.write(wiped + picture)
            self.console.file.flush()

    def _frame(self, now: float) -> RenderableType:
        grid = Table.grid(padding=(0, 2))
        grid.add_row("step", self._steps())
        grid.add_row("loss", self._losses())
        grid.add_row("time", self._times(now))
        return Frame(grid, title=Text(printable(self.title)), title_align="left", expand=False)

    def _steps(self) -> RenderableType:
        step, most = self.figures.step, self.figures.max_steps
        rate = self.figures.steps_per_second
        pace = "" if rate is None else f"{rate:.3g} steps/s"
        if most is None:
            return Text(f"{figure(step)}  {pace}".rstrip())
        done = min(step or 0, most)
        row = Table.grid(padding=(0, 2))
        bar = ProgressBar(total=most, completed=done, width=_BAR)
        row.add_row(f"{figure(step)} of {most}", bar, f"{done * 100 // most}%", pace)
        return row

    def _losses(self) -> Text:
        figures = self.figures
        levels = BLOCKS if self.console.encoding.startswith("utf") else _ASCII
        loss = None if figures.last is None else figures.last.loss
        text = Text(f"{figure(loss)}  ")
        text.append(sparkline(figures.losses, _TREND, levels), style="cyan")
        if figures.eval_loss is not None:
            text.append(f"  eval {figure(figures.eval_loss)}")
        if figures.learning_rate is not None:
            text.append(f"  learning rate {figure(figures.learning_rate)}")
        return text

    def _times(self, now: float) -> Text:
        parts = [f"{duration(now - self._begun)} so far"]
        if self._heard is not None:
            parts.append(f"last event {duration(now - self._heard)} ago")
        if self.reconnects:
            parts.append(f"{self.reconnects} reconnect{'s' if self.reconnects > 1 else ''}")
        text = Text(", ".join(parts))
        if self._due is not None:
            left = math.ceil(self._due - now)
            what = f"reconnecting in {duration(left)}" if left > 0 else "reconnecting"
            text.append(f", {what}", style="yellow")
        return text


def panel_for(out: TextIO, figures: Figures) -> Panel | None:
    """Return a panel for a terminal that can show one, or None for any other output."""
    console = Console(file=out, highlight=False, soft_wrap=False)
    if not console.is_terminal or console.is_dumb_terminal or console.legacy_windows:
        return None
    if console.width < _LEAST_COLUMNS or console.height < _LEAST_ROWS:
        return None
    return Panel(console, figures)
