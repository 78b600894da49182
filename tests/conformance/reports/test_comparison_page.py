"""The page of a comparison in a real browser: wide and narrow, light and dark, opened and printed."""

from pathlib import Path

import pytest

from conformance.reports.comparison.contrast import Contrast
from conformance.reports.comparison.reports import write
from conformance.reports.comparison.sides import sides_of
from conformance.verdict.statuses import Verdict
from tests.conformance.browser import MISSING, Page, find
from tests.conformance.reports.on_page import MAIN, PALE
from tests.conformance.sample_run import HOSTILE, result, run

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(find() is None, reason=MISSING)]
FITS = "document.documentElement.scrollWidth <= innerWidth"


def written(folder: Path, *names: str, said: str = "2 requests") -> str:
    """Write the page of a comparison of failing and passing runs of these clients."""
    verdicts = (Verdict.FAIL, Verdict.PASS, Verdict.WARN)
    runs = [
        (folder / f"{n}.json", run([result(verdicts[n % 3], said=said)], name=name))
        for n, name in enumerate(names)
    ]
    file = folder / "compare.html"
    write([file], Contrast(sides_of(runs)))
    return file.as_uri()


def test_the_page_asks_for_itself_alone_and_complains_of_nothing(
    page: Page, tmp_path: Path
) -> None:
    address = written(tmp_path, "a", "b")
    page.go(address)
    assert (page.requests(), page.complaints()) == ([address], [])


def test_the_page_says_what_differs_and_shows_the_findings(page: Page, tmp_path: Path) -> None:
    page.go(written(tmp_path, "a", "b"))
    shown = page.text(MAIN)
    wanted = ("they differ on 1", "ARK-BUD-1", "✗ broken", "✓ holds", "1 request", "2 requests")
    assert [each for each in wanted if each not in shown] == []


def test_a_history_of_three_runs_has_its_steps(page: Page, tmp_path: Path) -> None:
    page.go(written(tmp_path, "a", "a", "a"))
    shown = page.text(MAIN)
    assert ["Step by step" in shown, "0 → 1" in shown, "1 → 2" in shown] == [True, True, True]


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_fits_and_can_be_read(
    page: Page, tmp_path: Path, width: int, colours: str
) -> None:
    page.screen(width, 844, mobile=width == 390)
    page.media(colours=colours)
    page.go(written(tmp_path, *(f"a client with a long name {n}" for n in range(6))))
    assert page.holds(FITS)
    assert page.text(PALE) == ""
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.text(paper) == {"light": "rgb(250, 249, 246)", "dark": "rgb(18, 20, 23)"}[colours]


def test_the_page_follows_a_change_of_colours(page: Page, tmp_path: Path) -> None:
    page.go(written(tmp_path, "a", "b"))
    page.media(colours="dark")
    assert page.holds("document.documentElement.dataset.theme === 'dark'")


def test_what_a_client_says_stays_text(page: Page, tmp_path: Path) -> None:
    page.go(written(tmp_path, HOSTILE, "b", said=HOSTILE))
    assert page.complaints() == []
    assert "alert(1)" in page.text(MAIN)
    assert page.text("document.querySelectorAll('script').length") == "1"
