"""The page in a real browser, from a file: it draws, filters, and opens what a link names."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import pytest
from attrs import evolve, frozen

from conformance.reports import write_run
from conformance.verdict import CaseResult
from conformance.verdict_words import Verdict
from tests.conformance.casefile import one
from tests.conformance.report_run import HOSTILE, hostile, result, run

CHROMIUM = shutil.which("chromium") or ""
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not on this machine")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--enable-logging=stderr", "--virtual-time-budget=4000", "--dump-dom"),
)


@frozen
class Seen:
    """What a browser made of a page: its elements as text, and what its console said."""

    dom: str
    console: Sequence[str]

    @property
    def main(self) -> str:
        """What is on show, the data left apart."""
        return self.dom.partition("<main")[2].partition("</main>")[0]


def browse(page: Path, fragment: str = "") -> Seen:
    done = subprocess.run(  # noqa: S603 - the browser on a file of ours
        [CHROMIUM, *QUIET, f"--user-data-dir={page.parent / 'profile'}", page.as_uri() + fragment],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return Seen(done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line])


def several() -> list[CaseResult]:
    other = one(
        "expect.connects = 1\n", head='id = "budget.other"\nrequires = ["ARK-BUD-1"]\nwhy = "So."\n'
    )
    return [result(Verdict.FAIL), evolve(result(Verdict.PASS), case=other)]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    write_run([tmp_path / "report.html"], run(several()))
    return tmp_path / "report.html"


def test_the_overview_shows_the_failure_without_an_error_in_the_console(page: Path) -> None:
    seen = browse(page)
    shown = [
        said in seen.main for said in ("Does not conform", "ARK-BUD-1", "A rule.", "2 requests")
    ]
    assert (shown, seen.console) == ([True] * 4, [])


@pytest.mark.parametrize(
    ("fragment", "shown"),
    [
        ("#view=cases", {"budget.small", "budget.other"}),
        ("#view=cases&q=other", {"budget.other"}),
        ("#view=cases&verdict=fail", {"budget.small"}),
        ("#view=cases&q=nothing-like-it", set[str]()),
    ],
)
def test_a_filter_in_the_link_holds(page: Path, fragment: str, shown: set[str]) -> None:
    main = browse(page, fragment).main
    found = {name for name in ("budget.small", "budget.other") if f'data-case="{name}"' in main}
    assert found == shown


def test_a_link_to_a_case_opens_it_though_a_filter_hides_it(page: Path) -> None:
    seen = browse(page, f"#case={quote('budget.small@2026-05')}&q=other")
    wanted = ("<svg", "diverges here", "the whole request", "arkor-conformance run --case")
    assert ([each in seen.main for each in wanted], seen.console) == ([True] * 4, [])


def test_a_link_to_a_requirement_shows_its_rule_and_its_verdict(page: Path) -> None:
    main = browse(page, "#view=requirements&rule=ARK-BUD-1").main
    assert 'id="rule-ARK-BUD-1"' in main
    assert "2 cases" in main


@pytest.mark.parametrize("fragment", ["", "#view=cases", f"#case={quote('budget.small@2026-05')}"])
def test_a_hostile_driver_changes_nothing_but_text(tmp_path: Path, fragment: str) -> None:
    write_run([tmp_path / "report.html"], hostile())
    seen = browse(tmp_path / "report.html", fragment)
    assert ("<script" in seen.main, "\u202e" in seen.main, seen.console) == (False, False, [])
    assert HOSTILE not in seen.dom
