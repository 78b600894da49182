"""The live panel, drawn on a recorded console."""

import io

import pytest
from attrs import define, field
from rich.console import Console

from arkor_proto import TrainingLog
from arkor_proto.cli.figures import Figures
from arkor_proto.cli.panel import Panel, panel_for


@define
class Screen:
    """A console of 90 columns whose time is told by the test."""

    now: float = 0.0
    out: io.StringIO = field(factory=io.StringIO)
    panel: Panel = field(init=False)

    def __attrs_post_init__(self) -> None:
        console = Console(file=self.out, force_terminal=True, width=90, color_system=None)
        self.panel = Panel(console, Figures(max_steps=200), clock=lambda: self.now, title="j bot")

    def picture(self) -> list[str]:
        """Draw the panel and return its lines."""
        self.out.seek(0)
        self.out.truncate()
        self.panel.draw()
        return self.out.getvalue().split("\x1b[J")[-1].splitlines()


def test_the_panel_shows_the_step_the_losses_and_the_time() -> None:
    screen = Screen()
    for step in range(9):
        screen.now = step * 0.5
        log = TrainingLog(step=step * 10, loss=1.0 - step / 10, eval_loss=1.5, learning_rate=2e-4)
        screen.panel.take(log)
    screen.now = 19.0
    assert screen.picture() == [
        "╭─ j bot ──────────────────────────────────────────────────────────╮",
        "│ step  80 of 200  ━━━━━━━━━━━━                    40%  20 steps/s │",
        "│ loss  0.2  █▇▆▅▅▄▃▂▁  eval 1.5  learning rate 0.0002             │",
        "│ time  19 s so far, last event 15 s ago                           │",
        "╰──────────────────────────────────────────────────────────────────╯",
    ]


def test_the_panel_counts_a_delay_down_and_the_reconnects() -> None:
    screen = Screen()
    screen.panel.reconnecting(8.0)
    assert "0 s so far, 1 reconnect, reconnecting in 8 s" in screen.picture()[-2]
    screen.now = 5.5
    assert "5 s so far, 1 reconnect, reconnecting in 3 s" in screen.picture()[-2]
    screen.now = 9.0
    assert "9 s so far, 1 reconnect, reconnecting " in screen.picture()[-2]
    screen.panel.reconnecting(8.0)
    screen.panel.take(TrainingLog(step=1))
    assert "9 s so far, last event 0 s ago, 2 reconnects  " in screen.picture()[-2]


def test_a_job_of_unknown_length_has_no_bar() -> None:
    screen = Screen()
    screen.panel.figures.max_steps = None
    screen.panel.take(TrainingLog(step=7))
    assert screen.picture()[1].split() == ["│", "step", "7", "│"]


def test_a_line_is_printed_above_the_panel_which_follows_it() -> None:
    screen = Screen()
    height = len(screen.picture())
    with screen.panel.above():
        screen.out.write("a line\n")
    _, _, after = screen.out.getvalue().partition(f"\r\x1b[{height}A\x1b[J")
    assert after.splitlines()[0] == "a line"
    assert after.splitlines()[1].startswith("╭─ j bot ─")


def test_a_panel_that_was_stopped_leaves_nothing_and_is_drawn_no_more() -> None:
    screen = Screen()
    height = len(screen.picture())
    screen.panel.stop()
    assert screen.out.getvalue().endswith(f"\r\x1b[{height}A\x1b[J")
    assert screen.picture() == []


def test_a_name_cannot_drive_the_terminal() -> None:
    screen = Screen()
    screen.panel.title = "j \x1b[2J[bold]x"
    assert r"j \x1b[2J[bold]x" in screen.picture()[0]


def test_without_utf8_the_panel_is_ascii() -> None:
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding="ascii")
    panel = Panel(Console(file=out, force_terminal=True, width=90), Figures(), clock=lambda: 0.0)
    panel.take(TrainingLog(step=1, loss=1.0))
    panel.take(TrainingLog(step=2, loss=0.5))
    panel.draw()
    assert written.getvalue().decode().splitlines()[2].split()[:3] == ["|", "loss", "0.5"]


@pytest.mark.parametrize(
    ("variables", "number"),
    [
        ({"TERM": "xterm"}, 1),
        ({"TERM": "dumb"}, 0),
        ({"TERM": "xterm", "COLUMNS": "30"}, 0),
        ({"TERM": "xterm", "LINES": "5", "COLUMNS": "80"}, 0),
    ],
)
def test_only_a_terminal_that_can_show_a_panel_gets_one(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], number: int
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for name in ("COLUMNS", "LINES", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    panels = [panel_for(out, Figures()) for out in (Terminal(), io.StringIO())]
    assert sum(panel is not None for panel in panels) == number
