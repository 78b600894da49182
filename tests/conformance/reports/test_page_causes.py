"""The page in a real browser: what it says about causes, and the reference beside the client."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from attrs import evolve

from conformance.reports.digest import causes, sentence_of
from conformance.strict_data import Table
from conformance.trace.events import Noted
from conformance.verdict.statuses import Verdict
from tests.conformance.browser import MISSING, Page, find
from tests.conformance.reports.on_page import MAIN, PALE, written
from tests.conformance.reports.sample_causes import STOPPING, explained, forgetful, played, resuming
from tests.conformance.sample_run import HOSTILE, result, run

pytestmark = [pytest.mark.thorough, pytest.mark.skipif(find() is None, reason=MISSING)]
STEP = 'opens the stream again without Last-Event-ID (the reference sends "1")'
FORGETS = f"#case={quote('resume.one@2026-05')}"
STOPS = f"#case={quote('resume.stops@2026-07')}"
SENTENCES = "[...document.querySelectorAll('.cause .sentence')].map((each) => each.textContent)"
FIGURES = "document.querySelectorAll('[role=img]').length"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("report"), forgetful())


@pytest.fixture
def beside(page: Page, report: str) -> Page:
    page.go(report + FORGETS)
    page.click("#beside")
    assert page.holds(f"{FIGURES} === 2")
    return page


def place(page: Page, selector: str) -> Mapping[str, float]:
    box = f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()"
    found = Table.of(selector, page.evaluate(box))
    return {side: found.number(side) for side in ("left", "top", "right", "bottom")}


def test_every_cause_is_told_in_the_sentence_of_all_reports(overview: Page) -> None:
    wanted = [each.sentence.replace("`", "") for each in causes(Table("run", forgetful()))]
    assert overview.evaluate(SENTENCES) == wanted
    assert STEP in wanted[0]


def test_the_first_screen_holds_the_verdict_the_circumstances_and_every_cause(
    overview: Page,
) -> None:
    overview.screen(1280, 800)
    shown = overview.text(MAIN)
    wanted = (
        *("probe 1", "Does not conform", "node my driver.mjs", "specification 2, cases 0f0f0f"),
        *("kit 0.", "virtual time", "2026-05-01 12:00:00 UTC", "Linux 6.1 x86_64"),
    )
    assert [said for said in wanted if said not in shown] == []
    assert place(overview, ".cause:last-child")["bottom"] <= 800


def test_hints_are_below_their_sentence(page: Page, tmp_path: Path) -> None:
    found = forgetful()
    first, *others = Table("run", found).tables("causes")
    like = {"name": "resume.starts-over", "what": "it sends no cursor"}
    hinted = {**first.values, "follows": True, "resembles": like}
    told = {**found, "causes": [hinted, *(each.values for each in others)]}
    page.go(written(tmp_path, told))
    (cause, *_) = causes(Table("run", told))
    hints = "[...document.querySelectorAll('.cause .hint')].map((each) => each.textContent)"
    assert page.evaluate(hints) == list(cause.hints)
    assert len(cause.hints) == 2


def test_a_cause_opens_its_failures_by_rule_and_template(overview: Page) -> None:
    overview.click(".cause .number")
    assert overview.holds("document.querySelector('[data-cause=\"1\"] .byrule')")
    shown = overview.text("document.querySelector('[data-cause=\"1\"]').innerText")
    wanted = (STEP, "1 request", "2 requests", "ARK-BUD-1", "resume.one", "resume.two 2 cases")
    assert [said for said in wanted if said not in shown] == []
    overview.click(".failures summary")
    assert overview.holds("document.querySelectorAll('.failures .failures li').length === 2")


def test_one_failure_stands_for_its_cause_with_both_steps_and_their_cells(overview: Page) -> None:
    overview.click(".cause .number")
    assert overview.holds("document.querySelector('.example .versus')")
    shown = overview.text("document.querySelector('.example').innerText")
    assert "(Last-Event-ID: 1)" in shown
    assert shown.count("backing off / due") == 2
    assert "--case resume.one --profile 2026-05" in shown


def test_the_only_cause_is_open_from_the_start(page: Page, tmp_path: Path) -> None:
    alone = played("resume.one", Verdict.FAIL, resuming(None))
    page.go(written(tmp_path, explained([alone])))
    assert page.holds("document.querySelector('.cause[open] .example')")


def test_a_link_to_the_page_has_the_open_cause(overview: Page) -> None:
    overview.click(".cause .number")
    assert overview.holds("location.hash === '#cause=1'")
    overview.again()
    assert overview.holds("document.querySelector('[data-cause=\"1\"][open] .example')")
    overview.click(".cause .number")
    assert overview.holds("location.hash === ''")


def test_the_way_back_from_a_case_leads_to_its_open_cause(overview: Page) -> None:
    overview.click(".cause .number")
    assert overview.holds("document.querySelector('.example a')")
    overview.click(".example a")
    assert overview.holds("document.querySelector('main h1').textContent === 'resume.one'")
    overview.press("Escape")
    assert overview.holds("document.querySelector('[data-cause=\"1\"][open] .example')")


def test_arrows_walk_through_the_failures_of_a_cause_only(overview: Page) -> None:
    overview.click("[data-cause='2'] .number")
    assert overview.holds("document.querySelector('.example a')")
    overview.click(".example a")
    assert overview.holds("document.querySelector('main h1').textContent === 'resume.stops'")
    assert overview.evaluate("document.querySelectorAll('[rel=next], [rel=prev]').length") == 0


def test_the_rule_in_a_sentence_leads_to_its_text(overview: Page) -> None:
    overview.click(".sentence a")
    assert overview.holds("document.querySelector('#rule-ARK-BUD-1')")


def test_a_failure_without_a_finding_is_not_left_out(page: Page, tmp_path: Path) -> None:
    lost = evolve(result(Verdict.ERROR), findings=(), reason="the driver is gone")
    page.go(written(tmp_path, run([lost])))
    shown = page.text(MAIN)
    assert ("the driver is gone" in shown, "--case budget.small" in shown) == (True, True)


def test_notes_of_the_run_are_shown(page: Page, tmp_path: Path) -> None:
    page.go(written(tmp_path, {**forgetful(), "notes": ["not compared"]}))
    assert "not compared" in page.text(MAIN)


def test_the_arrow_says_what_is_wrong_and_where_the_client_is(page: Page, report: str) -> None:
    page.go(report + FORGETS)
    marked = page.text("document.querySelector('[role=img] .here').textContent")
    assert STEP in marked
    assert "backing off / due" in marked
    assert page.text("document.querySelector('.events .here .flag').textContent") == STEP


def test_a_case_begins_with_how_it_fails(page: Page, report: str) -> None:
    page.go(report + FORGETS)
    (first, *_) = Table("run", forgetful()).tables("results")
    wanted = sentence_of(first.table("begins"))
    assert page.text("document.querySelector('.begins .sentence').textContent") == wanted


def test_the_reference_is_shown_on_demand_and_the_step_marked_on_both_sides(beside: Page) -> None:
    steps = "[...document.querySelectorAll('[role=img] :is(.here, .there)')]"
    marked = beside.text(f"{steps}.map((each) => each.textContent).join('|')").split("|")
    assert len(marked) == 2
    assert ["backing off / due" in each for each in marked] == [True, True]
    assert ["id 1" in each or "Last-Event-ID: 1" in each for each in marked] == [False, True]
    listed = "[...document.querySelectorAll('.events :is(.here, .there) .cell')]"
    assert beside.text(f"{listed}.map((each) => each.textContent).join()") == ",".join(
        ["backing off / due"] * 2
    )
    beside.click("#beside")
    assert beside.holds(f"{FIGURES} === 1")


def test_the_reference_stays_beside_the_next_case_and_after_a_reload(beside: Page) -> None:
    beside.press("ArrowRight")
    assert beside.holds("document.title.startsWith('resume.one@2026-07')")
    assert beside.holds(f"{FIGURES} === 2")
    beside.again()
    assert beside.holds(f"{FIGURES} === 2")


def test_both_sides_are_level_at_the_first_difference(page: Page, report: str) -> None:
    page.go(f"{report}{STOPS}&beside=1")
    assert page.holds(f"{FIGURES} === 2")
    here, there = (place(page, f"[role=img] .{side} .band") for side in ("here", "there"))
    assert abs(here["top"] - there["top"]) < 1
    assert here["right"] < there["left"]


@pytest.mark.parametrize("width", [390, 768])
def test_a_narrow_screen_shows_one_side_after_the_other(
    page: Page, report: str, width: int
) -> None:
    page.screen(width, 800, mobile=width < 600)
    page.go(f"{report}{FORGETS}&beside=1")
    first, second = (place(page, f".figure:nth-child({n})") for n in (1, 2))
    assert first["bottom"] <= second["top"]
    assert first["left"] == second["left"]


def test_a_client_that_does_nothing_more_is_marked_where_it_stops(page: Page, report: str) -> None:
    page.go(report + STOPS)
    rows = "[...document.querySelectorAll('.events li')]"
    stop = f"{rows}.findIndex((each) => each.matches('.here'))"
    assert "does nothing more" in page.text(f"{rows}[{stop}].textContent")
    assert "calls close" in page.text(f"{rows}[{stop} + 1].textContent")


def test_a_long_trace_says_how_much_is_left_out(page: Page, tmp_path: Path) -> None:
    noise = [Noted("driver", "hum")] * 200
    long = played("resume.one", Verdict.FAIL, [*noise, *resuming(None)])
    page.go(written(tmp_path, explained([long])) + "#case=resume.one")
    said = "document.querySelector('{} .gap').textContent"
    drawn, listed = (page.text(said.format(each)) for each in ("[role=img]", ".events"))
    left = len(noise) + len(resuming(None)) - 140
    assert (drawn, listed) == (f"… {left} events left out …",) * 2


@pytest.mark.parametrize(("width", "height"), [(1280, 320), (390, 320)])
def test_the_names_of_the_lanes_stay_in_sight(
    page: Page, report: str, width: int, height: int
) -> None:
    page.screen(width, height, mobile=width < 600)
    page.go(f"{report}{FORGETS}&beside=1")
    page.evaluate(
        "document.querySelector('[role=img] .here .band').scrollIntoView("
        "{block: 'end', behavior: 'instant'})"
    )
    heads, bar = place(page, ".lanes"), place(page, ".top")
    assert abs(heads["top"] - bar["bottom"]) <= 1
    assert place(page, ".figure")["top"] < bar["bottom"] - 10


def test_a_button_leads_to_the_first_difference(page: Page, report: str) -> None:
    page.screen(1280, 400)
    page.go(report + FORGETS)
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    page.click("#jump")
    seen = "document.querySelector('[role=img] .here .band').getBoundingClientRect()"
    assert page.holds(f"{seen}.top > 60 && {seen}.bottom < 400")


def test_the_reference_is_shown_with_the_keyboard(page: Page, report: str) -> None:
    page.go(report + FORGETS)
    page.evaluate("document.querySelector('#beside').focus()")
    page.press("Enter")
    assert page.holds(f"{FIGURES} === 2")
    assert page.text("document.activeElement.ariaPressed") == "true"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("fragment", ["#cause=1", f"{FORGETS}&beside=1", f"{STOPS}&beside=1"])
def test_nothing_is_wider_than_the_screen(
    page: Page, report: str, width: int, fragment: str
) -> None:
    page.screen(width, 800, mobile=width < 600)
    page.go(report + fragment)
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("fragment", ["#cause=1", f"{FORGETS}&beside=1", f"{STOPS}&beside=1"])
def test_every_text_stands_out_from_its_ground(
    page: Page, report: str, colours: str, fragment: str
) -> None:
    page.media(colours=colours)
    page.go(report + fragment)
    assert page.holds("document.querySelector('.versus')")
    assert page.text(PALE) == ""


@pytest.mark.parametrize("fragment", ["#cause=1", f"{FORGETS}&beside=1"])
def test_a_hostile_step_changes_nothing_but_text(page: Page, tmp_path: Path, fragment: str) -> None:
    hostile = played("resume.one", Verdict.FAIL, resuming(HOSTILE), profile="2026-05")
    page.go(written(tmp_path, explained([hostile])) + fragment)
    assert page.holds("document.querySelector('.versus')")
    body = page.text("document.querySelector('main').outerHTML")
    assert ("alert(1)" in body, "<script" in body, "\u202e" in body) == (True, False, False)
    assert page.complaints() == []


def test_many_failures_are_drawn_when_they_are_opened(page: Page, tmp_path: Path) -> None:
    forgets = played("resume.one", Verdict.FAIL, resuming(None))
    many = [evolve(forgets, case=evolve(forgets.case, id=f"resume.{n}")) for n in range(500)]
    apart = played("resume.stops", Verdict.WARN, STOPPING, rule="ARK-BUD-2")
    page.go(written(tmp_path, explained([*many, apart])))
    drawn = "document.querySelectorAll('main *').length"
    assert page.evaluate(f"{drawn} < 200") is True
    page.click(".cause .number")
    assert page.holds("document.querySelectorAll('.failures li').length === 500")
