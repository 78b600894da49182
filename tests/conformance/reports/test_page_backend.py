"""The page of a run about a backend, in a real browser."""

from pathlib import Path
from urllib.parse import quote

import pytest

from conformance.reports.digest import causes
from conformance.reports.published import addresses
from conformance.strict_data import Table
from tests.conformance.browser import MISSING, Page, find
from tests.conformance.reports.on_page import MAIN, PALE, written
from tests.conformance.reports.sample_backend import (
    BROKEN,
    GAP,
    SLASH,
    URL,
    backend_run,
    failing,
    passing,
)
from tests.conformance.sample_run import HOSTILE

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(find() is None, reason=MISSING)]
FAILS = f"#case={quote(f'{GAP}@hardened')}"
WARNS = f"#case={quote(f'{SLASH}@2026-05')}"
VIEWS = ("#cause=1", "#view=requirements", "#view=cases", FAILS, WARNS)
SENTENCES = "[...document.querySelectorAll('.cause .sentence')].map((each) => each.textContent)"
LANES = "[...document.querySelectorAll('.lanes text')].map((each) => each.textContent).join()"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("report"), backend_run(BROKEN))


def test_the_overview_says_where_the_backend_is_and_what_makes_it_do_things(overview: Page) -> None:
    shown = overview.text(MAIN)
    for said in (URL, "acme/llm", "python my control.py", "emit, finish, job", "Jobs created"):
        assert said in shown
    for said in ("Driver", "The client", "Capabilities"):
        assert said not in shown


def test_every_cause_is_told_in_the_sentence_of_all_reports(overview: Page) -> None:
    wanted = [each.sentence for each in causes(Table("run", backend_run(BROKEN)))]
    assert overview.evaluate(SENTENCES) == wanted
    assert overview.holds("document.querySelector('.cause .sentence a.id')")


def test_every_bound_is_in_the_table_with_what_it_is_for(overview: Page) -> None:
    rows = "[...document.querySelectorAll('.bounds tbody tr')]"
    assert overview.evaluate(f"{rows}.length") == len(
        Table("run", backend_run([])).table("bounds").values
    )
    assert overview.evaluate(f"{rows}.some((row) => row.textContent.includes('_ms'))") is False
    assert "45 s" in overview.text(f"{rows}.map((row) => row.textContent).join()")


def test_the_matrix_has_the_families_in_the_order_of_the_specification(
    page: Page, tmp_path: Path
) -> None:
    some = [passing("create.accepted"), passing("order.two-followers"), passing(SLASH)]
    page.go(written(tmp_path, backend_run(some)))
    heads = (
        "[...document.querySelectorAll('.matrix tbody th')].map((each) => each.innerText).join()"
    )
    assert page.text(heads) == "create,order,limits"


def test_the_kit_has_the_lane_of_the_client(page: Page, report: str) -> None:
    page.go(report + FAILS)
    assert page.text(LANES) == "kit (as client),backend"
    who = "[...document.querySelectorAll('.events .who')].map((each) => each.innerText).join()"
    assert page.text(who) == "kit,kit,backend"


def test_what_is_wrong_is_said_at_the_answer(page: Page, report: str) -> None:
    page.go(report + FAILS)
    said = "expected every event after '1'; got '3' came without '2'"
    assert said in page.text("document.querySelector('.events .here').innerText")
    assert (
        page.text("document.querySelector('[role=img] .here').textContent").count("expected") == 1
    )


def test_a_case_is_told_with_the_others_of_its_cause(page: Page, report: str) -> None:
    page.go(report + FAILS)
    assert "Cause 1: The backend breaks" in page.text(MAIN)
    page.go(f"{report}?alone{WARNS}")
    assert "Cause 2" not in page.text(MAIN)


def test_a_rule_leads_to_the_specification_of_backends(page: Page, report: str) -> None:
    page.go(report + WARNS)
    assert page.text("document.querySelector('a.published').href") == addresses()["ARK-SRV-58"]


@pytest.mark.parametrize("fragment", VIEWS)
def test_the_page_asks_for_itself_alone_and_complains_of_nothing(
    page: Page, report: str, fragment: str
) -> None:
    page.go(report + fragment)
    assert page.holds("document.querySelector('main h1')")
    asked = {address.partition("#")[0] for address in page.requests()}
    assert (asked, page.complaints()) == ({report}, [])


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("fragment", VIEWS)
def test_nothing_is_wider_than_the_screen(
    page: Page, report: str, width: int, fragment: str
) -> None:
    page.screen(width, 800, mobile=width < 600)
    page.go(report + fragment)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("fragment", VIEWS)
def test_every_text_stands_out_from_its_ground(
    page: Page, report: str, colours: str, fragment: str
) -> None:
    page.media(colours=colours)
    page.go(report + fragment)
    assert page.holds("document.querySelector('main h1')")
    assert page.text(PALE) == ""


@pytest.mark.parametrize("fragment", ["#cause=1", FAILS])
def test_a_hostile_backend_changes_nothing_but_text(
    page: Page, tmp_path: Path, fragment: str
) -> None:
    data = backend_run([failing(GAP, "ARK-SRV-33", HOSTILE, HOSTILE)], implementation=HOSTILE)
    page.go(written(tmp_path, data) + fragment)
    assert page.holds("document.querySelector('.versus')")
    body = page.text("document.querySelector('main').outerHTML")
    assert ("alert(1)" in body, "<script" in body, "\u202e" in body) == (True, False, False)
    assert page.complaints() == []
