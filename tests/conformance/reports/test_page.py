"""The page in a real browser, opened from a file: viewed, clicked, typed into and printed."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from attrs import evolve

from conformance.reports.published import addresses
from conformance.strict_data import Json, Table
from conformance.verdict.result import CaseResult
from conformance.verdict.statuses import Verdict
from tests.conformance.browser import MISSING, Page, find
from tests.conformance.reports.on_page import CHIPS, MAIN, PALE, written
from tests.conformance.sample_case import one
from tests.conformance.sample_run import HOSTILE, hostile, result, run

CHROMIUM = find()
pytestmark = [pytest.mark.thorough, pytest.mark.skipif(CHROMIUM is None, reason=MISSING)]
SHOWN = "[...document.querySelectorAll('[data-case]')].map((row) => row.dataset.case).join()"
FAILING = f"#case={quote('budget.small@2026-05')}"
FOCUSED = "(document.activeElement.innerText || document.activeElement.id).trim()"
RING = "getComputedStyle(document.activeElement).outlineStyle"


def named(case: str, rule: str, verdict: Verdict, profile: str = "2026-05") -> CaseResult:
    head = f'id = "{case}"\nrequires = ["{rule}"]\nwhy = "So."\n'
    return evolve(result(verdict, profile=profile), case=one("expect.connects = 1\n", head=head))


def several() -> Mapping[str, Json]:
    """Return a run with a failure and with several other cases, profiles and families."""
    return run(
        [
            result(Verdict.FAIL),
            result(Verdict.PASS, profile="2026-07"),
            named("budget.other", "ARK-BUD-1", Verdict.PASS),
            named("resume.third", "ARK-BUD-2", Verdict.WARN, "2026-07"),
        ]
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(tmp_path_factory.mktemp("report"), several())


@pytest.fixture
def cases(page: Page, report: str) -> Page:
    page.go(f"{report}#view=cases")
    return page


@pytest.fixture
def failing(page: Page, report: str) -> Page:
    page.go(report + FAILING)
    return page


@pytest.mark.parametrize("fragment", ["", "#view=cases", "#view=requirements", FAILING, "#case=x"])
def test_the_page_asks_for_itself_alone_and_complains_of_nothing(
    page: Page, report: str, fragment: str
) -> None:
    page.go(report + fragment)
    assert page.holds("document.querySelector('main h1')")
    asked = {address.partition("#")[0] for address in page.requests()}
    assert (asked, page.complaints()) == ({report}, [])


def test_the_overview_says_what_is_broken_and_by_which_rule(overview: Page) -> None:
    shown = overview.text(MAIN)
    wanted = ("Does not conform", "ARK-BUD-1", "A rule.", "1 request", "2 requests", "--case")
    assert [said for said in wanted if said not in shown] == []


@pytest.mark.parametrize("fragment", ["", "#view=requirements", FAILING])
def test_a_rule_links_to_the_specification(page: Page, report: str, fragment: str) -> None:
    page.go(report + fragment)
    link = "document.querySelector('[aria-label=\"ARK-BUD-1 in the specification\"]')"
    assert page.holds(f"{link}?.href === {json.dumps(addresses()['ARK-BUD-1'])}")


def test_an_overview_of_a_green_run_says_that_it_conforms(page: Page, tmp_path: Path) -> None:
    page.go(written(tmp_path, run([result(Verdict.PASS)])))
    shown = page.text(MAIN)
    assert ("Conforms" in shown, "What is broken" in shown) == (True, False)


@pytest.mark.parametrize(
    ("cell", "said", "share"),
    [
        ("budget, 2026-05", "1 of 2 passed", "50%"),
        ("budget, 2026-07", "1 of 1 passed", "100%"),
        ("resume, 2026-07", "0 of 1 passed", "0%"),
        ("create, 2026-07", "1 n/a", "0%"),
    ],
)
def test_a_cell_of_the_overview_says_what_passed_and_is_shaded_by_its_share(
    page: Page, tmp_path: Path, cell: str, said: str, share: str
) -> None:
    results = [
        result(Verdict.FAIL),
        named("budget.other", "ARK-BUD-1", Verdict.PASS),
        result(Verdict.PASS, profile="2026-07"),
        named("resume.third", "ARK-BUD-2", Verdict.WARN, "2026-07"),
        named("create.fourth", "ARK-BUD-2", Verdict.NOT_APPLICABLE, "2026-07"),
    ]
    page.go(written(tmp_path, run(results)))
    link = f"document.querySelector('[aria-label^=\"{cell}\"]')"
    assert page.text(f"{link}.lastChild.textContent") == said
    assert page.text(f"{link}.style.getPropertyValue('--share')") == share


@pytest.mark.parametrize(
    ("selector", "shown"),
    [
        ("[aria-label^='budget, 2026-05']", "budget.small,budget.other"),
        ("[aria-label^='budget, 2026-07']", "budget.small"),
        ("tbody th a[href*='family=resume']", "resume.third"),
        (".card .counts .fail", "budget.small"),
    ],
)
def test_a_click_in_the_overview_shows_the_cases_behind_it(
    overview: Page, selector: str, shown: str
) -> None:
    overview.click(selector)
    assert overview.holds(f"{SHOWN} === '{shown}'"), overview.text(SHOWN)


def test_a_click_on_a_rule_shows_its_text_and_its_verdict(overview: Page) -> None:
    overview.click(".sentence a[href*='rule=ARK-BUD-1']")
    assert overview.holds("document.querySelector('#rule-ARK-BUD-1 .marks .fail')")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_link_to_a_rule_leads_to_it_among_many(page: Page, tmp_path: Path, width: int) -> None:
    found = several()
    (like, *_) = Table("run", found).table("requirements").values.values()
    assert isinstance(like, Mapping)
    long = {**like, "text": "A rule of many words. " * 30}
    many = {f"ARK-BUD-{n}": long for n in range(1, 200)}
    page.screen(width, 800, mobile=width < 600)
    page.go(
        written(tmp_path, {**found, "requirements": many}) + "#view=requirements&rule=ARK-BUD-100"
    )
    top = "document.querySelector('#rule-ARK-BUD-100').getBoundingClientRect().top"
    page.evaluate("new Promise((done) => setTimeout(done, 300))")
    assert page.holds(f"Math.abs({top} - 72) < 3"), page.text(top)


def test_a_click_on_the_cases_of_a_rule_leads_to_one_of_them(page: Page, report: str) -> None:
    page.go(f"{report}#view=requirements&rule=ARK-BUD-1")
    page.click("#rule-ARK-BUD-1 summary")
    assert page.holds("document.querySelector('#rule-ARK-BUD-1 details li a')")
    page.click("#rule-ARK-BUD-1 details li a")
    assert page.holds("document.querySelector('main h1').textContent === 'budget.small'")


def test_a_click_on_a_row_opens_the_case_and_the_way_back_leads_to_the_row(cases: Page) -> None:
    cases.click("[data-case='budget.other'] a")
    assert cases.holds("document.querySelector('main h1').textContent === 'budget.other'")
    cases.evaluate("history.back()")
    assert cases.holds(f"{SHOWN}.includes('budget.other')")


def test_typing_filters_and_stands_in_the_link(cases: Page) -> None:
    cases.click("#search")
    cases.type("third")
    assert cases.holds(f"{SHOWN} === 'resume.third'")
    assert cases.text("location.hash") == "#view=cases&q=third"


def test_a_filter_that_nothing_passes_says_so(cases: Page) -> None:
    cases.click("#search")
    cases.type("zzz")
    assert cases.holds(f"{MAIN}.includes('No case matches')")


def test_the_filters_narrow_each_other(cases: Page) -> None:
    cases.click("[data-filter='verdict=pass']")
    assert cases.holds(f"{SHOWN} === 'budget.small,budget.other'")
    cases.click("[data-filter='profile=2026-07']")
    assert cases.holds(f"{SHOWN} === 'budget.small'")


def test_a_second_click_takes_a_filter_away(cases: Page) -> None:
    cases.click("[data-filter='family=resume']")
    assert cases.holds(f"{SHOWN} === 'resume.third'")
    cases.click("[data-filter='family=resume']")
    assert cases.holds(f"{SHOWN}.split(',').length === 3")


def test_one_button_clears_all_filters(page: Page, report: str) -> None:
    page.go(f"{report}#view=cases&q=third&profile=2026-07")
    page.click("#clear")
    assert page.holds(f"{SHOWN}.split(',').length === 3")
    assert page.text("location.hash") == "#view=cases"
    assert page.evaluate("document.querySelector('#clear').hidden") is True


def test_a_chip_is_pressed_with_the_keyboard(cases: Page) -> None:
    cases.evaluate("document.querySelector('[data-filter=\"verdict=warn\"]').focus()")
    cases.press("Space")
    assert cases.holds(f"{SHOWN} === 'resume.third'")
    assert cases.text("document.activeElement.ariaPressed") == "true"


@pytest.mark.parametrize(
    "fragment",
    [
        *("#view=cases", "#view=cases&q=budget", "#view=cases&profile=2026-07"),
        *("#view=requirements", "#view=requirements&verdict=pass&source=published"),
    ],
)
def test_the_count_of_a_chip_is_the_number_of_rows_behind_it(
    page: Page, report: str, fragment: str
) -> None:
    page.go(report + fragment)
    assert page.evaluate("document.querySelectorAll('[data-filter]:not(:disabled)').length >= 4")
    assert page.text(CHIPS) == ""


def test_the_chips_beside_a_pressed_one_count_what_they_would_show(page: Page, report: str) -> None:
    page.go(f"{report}#view=cases&profile=2026-07")
    count = "document.querySelector('[data-filter=\"profile=2026-05\"] .count').textContent"
    assert page.text(count) == "2"


def test_a_chip_that_would_leave_nothing_cannot_be_pressed(page: Page, report: str) -> None:
    page.go(f"{report}#view=cases&family=resume")
    closed = "[...document.querySelectorAll('[data-filter]:disabled')]"
    said = page.text(f"{closed}.map((each) => each.dataset.filter).join()")
    assert said == "verdict=fail,verdict=pass,profile=2026-05"


@pytest.mark.parametrize(
    ("fragment", "shown"),
    [
        ("#view=cases", "budget.small,resume.third,budget.other"),
        ("#view=cases&q=other", "budget.other"),
        ("#view=cases&verdict=fail", "budget.small"),
        ("#view=cases&profile=2026-07&family=budget", "budget.small"),
        ("#view=cases&q=nothing-like-it", ""),
    ],
)
def test_a_filter_in_the_link_holds(page: Page, report: str, fragment: str, shown: str) -> None:
    page.go(report + fragment)
    assert sorted(page.text(SHOWN).split(",")) == sorted(shown.split(","))


def test_a_link_to_a_case_opens_it_though_a_filter_hides_it(page: Page, report: str) -> None:
    page.go(f"{report}{FAILING}&q=other")
    assert page.text("document.querySelector('main h1').textContent") == "budget.small"


def test_a_link_to_a_case_that_is_not_there_says_so(page: Page, report: str) -> None:
    page.go(f"{report}#case=nowhere")
    assert "no case nowhere" in page.text(MAIN)


def test_a_failing_case_tells_everything(failing: Page) -> None:
    failing.click(".events .here summary")
    shown = failing.text(MAIN)
    wanted = (
        *("A rule.", "Because.", "requests.stream", "1 request", "2 requests", "ARK-BUD-1"),
        *("does not meet", "accept: text/event-stream", "backs off for 1000 ms", "ends: rst"),
        "arkor-conformance run --case budget.small --profile 2026-05 -- node 'my driver.mjs'",
    )
    assert [said for said in wanted if said not in shown] == []


def test_the_picture_shows_client_backend_fault_sleep_and_the_divergence(failing: Page) -> None:
    drawn = failing.text("document.querySelector('.lanes').textContent")
    lanes = [lane for lane in ("application", "client", "backend") if lane in drawn]
    marks = (
        "['.k-fault .cross', '.k-sleep .note', '.here .band', '.here .remark'].filter((mark) => "
    )
    assert lanes == ["application", "client", "backend"]
    assert failing.text(f"{marks}!document.querySelector('[role=img] ' + mark)).join()") == ""


@pytest.mark.parametrize("width", [1280, 390])
def test_no_label_of_the_picture_is_cut_off(page: Page, report: str, width: int) -> None:
    page.screen(width, 800, mobile=width < 600)
    page.go(report + FAILING)
    outside = page.text(
        "(() => { const svg = document.querySelector('[role=img]'), all = svg.getBoundingClientRect(); "
        "return [...svg.querySelectorAll('text')].filter((each) => { "
        "const box = each.getBoundingClientRect(); "
        "return box.left < all.left || box.right > all.right || each.textContent.includes('…'); "
        "}).map((each) => each.textContent).join(); })()"
    )
    assert outside == ""


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
@pytest.mark.parametrize("fragment", ["", "#view=cases", "#view=requirements", FAILING])
def test_nothing_is_wider_than_the_screen(
    page: Page, report: str, width: int, fragment: str
) -> None:
    page.screen(width, 800, mobile=width < 600)
    page.go(report + fragment)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_first_tab_offers_to_skip_to_the_report(overview: Page) -> None:
    overview.press("Tab")
    assert overview.text(FOCUSED) == "Skip to the report"
    overview.press("Enter")
    assert overview.holds("document.activeElement.id === 'main'")


def test_every_step_of_the_keyboard_can_be_seen(cases: Page) -> None:
    rings: list[str] = []
    for _ in range(12):
        cases.press("Tab")
        rings.append(cases.text(RING))
    assert set(rings) == {"solid"}


def test_enter_opens_what_has_the_focus(cases: Page) -> None:
    cases.evaluate("document.querySelector('[data-case=\"budget.other\"] a').focus()")
    cases.press("Enter")
    assert cases.holds("document.querySelector('main h1').textContent === 'budget.other'")


def test_a_slash_leads_to_the_filter_and_escape_clears_it(cases: Page) -> None:
    cases.press("/")
    assert cases.text(FOCUSED) == "search"
    cases.type("third")
    assert cases.holds(f"{SHOWN} === 'resume.third'")
    cases.press("Escape")
    assert cases.holds(f"{SHOWN}.split(',').length === 3")


def test_arrows_go_from_case_to_case_and_escape_to_all(failing: Page) -> None:
    failing.press("ArrowRight")
    assert failing.holds("document.title.startsWith('budget.small@2026-07')")
    failing.press("ArrowLeft")
    assert failing.holds("document.title.startsWith('budget.small@2026-05')")
    failing.press("Escape")
    assert failing.holds("document.querySelector('main h1').textContent === 'Cases'")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_page_is_as_light_or_dark_as_its_reader_likes(
    page: Page, report: str, colours: str
) -> None:
    page.media(colours=colours)
    page.go(report)
    assert page.text("getComputedStyle(document.documentElement).colorScheme") == colours


def test_the_reader_changes_between_light_and_dark(overview: Page) -> None:
    overview.click("#theme")
    assert overview.text("document.documentElement.dataset.theme") == "dark"
    overview.again()
    assert overview.text("document.documentElement.dataset.theme") == "dark"


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("fragment", ["", "#view=cases&q=e", "#view=requirements", FAILING])
def test_every_text_stands_out_from_its_ground(
    page: Page, report: str, colours: str, fragment: str
) -> None:
    page.media(colours=colours)
    page.go(report + fragment)
    assert page.text(PALE) == ""


def test_paper_is_light_has_no_buttons_and_shows_the_whole_case(page: Page, report: str) -> None:
    page.media("print", colours="dark")
    page.go(report + FAILING)
    hidden = "['.top', '.crumbs', '.rerun button'].filter((each) => { const found = "
    still = f"{hidden}document.querySelector(each); return found && found.offsetParent; }}).join()"
    assert page.text(still) == ""
    assert page.text("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert "--case budget.small" in page.text(MAIN)


def test_the_page_prints(failing: Page) -> None:
    assert failing.do("Page.printToPDF", printBackground=True).text("data").startswith("JVBER")


@pytest.mark.parametrize("fragment", ["", "#view=cases", "#view=requirements", FAILING])
def test_a_hostile_driver_changes_nothing_but_text(
    page: Page, tmp_path: Path, fragment: str
) -> None:
    page.go(written(tmp_path, hostile()) + fragment)
    whole = page.text("document.documentElement.outerHTML")
    body = page.text("document.querySelector('main').outerHTML")
    assert ("<script" in body, "\u202e" in body, HOSTILE in whole) == (False, False, False)
    assert page.complaints() == []


def test_a_case_of_a_template_has_a_link_of_its_own(page: Page, tmp_path: Path) -> None:
    made = named("budget.small", "ARK-BUD-1", Verdict.PASS)
    variant = evolve(made, case=evolve(made.case, id="budget.small[a/b & c]"))
    page.go(written(tmp_path, run([variant])) + "#view=cases")
    page.click("[data-case] a")
    assert page.holds("document.querySelector('main h1').textContent.includes('[a/b & c]')")
    assert re.fullmatch(r"#.*case=budget\.small%5Ba%2Fb.*", page.text("location.hash"))
