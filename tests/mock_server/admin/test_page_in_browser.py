"""The admin page in a real browser, in front of a process."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import define, field

from mock_server.scenario.rule import FAULTS
from tests.conformance.browser import MISSING, Browser, Page, find, opened, started
from tests.conformance.reports.on_page import PALE

CHROMIUM = find()
pytestmark = [pytest.mark.thorough, pytest.mark.skipif(CHROMIUM is None, reason=MISSING)]
SCENARIO = """
[[job]]
id = "live"
submitted = true
events = 5
[[rule]]
name = "held"
on = {route = "stream"}
after = {frames = 2}
stall = {gate = "mid"}
"""
LOG = "document.querySelector('#log').innerText"
MAIN = "document.querySelector('#main').innerText"


@define
class Mock:
    """An `arkor-mock` process, as the page and a client see it."""

    base_url: str
    page_url: str
    token: str
    clients: list[subprocess.Popen[bytes]] = field(
        factory=list[subprocess.Popen[bytes]], init=False
    )

    @property
    def opening(self) -> str:
        """The address that a terminal shows."""
        return f"{self.page_url}#token={self.token}"

    def get(self, path: str) -> None:
        """Send a request, and read the answer, which may be a refusal."""
        request = urllib.request.Request(
            self.base_url + path, headers={"Authorization": "Bearer t"}
        )
        with suppress(OSError), urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()

    def follow(self) -> subprocess.Popen[bytes]:
        """Follow the job in another process."""
        code = (
            "import urllib.request as u; print(u.urlopen(u.Request("
            f"'{self.base_url}/v1/jobs/live/events/stream', headers={{'Authorization': 'Bearer t'}}"
            ")).read().count(b'id: '))"
        )
        client = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.clients.append(client)
        return client


@pytest.fixture
def mock(tmp_path: Path) -> Iterator[Mock]:
    file = tmp_path / "held.toml"
    file.write_text(SCENARIO)
    with subprocess.Popen(
        [sys.executable, "-m", "mock_server", "serve", str(file)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        running = Mock(ready["base_url"], ready["admin_url"].removesuffix("v1"), ready["token"])
        yield running
        process.kill()
        for client in running.clients:
            client.kill()
            client.communicate()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with started(str(CHROMIUM), tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    with opened(browser) as new:
        yield new


@pytest.fixture
def shown(tab: Page, mock: Mock) -> Page:
    tab.go(mock.opening)
    assert tab.holds("document.querySelector('#state').innerText === 'live' || "
                     "document.querySelectorAll('#faults button').length > 0")  # fmt: skip
    return tab


def test_the_token_leaves_the_address_and_goes_to_the_admin_only(shown: Page, mock: Mock) -> None:
    assert shown.text("location.href") == mock.page_url
    assert mock.token not in "".join(shown.requests())
    assert all(each.startswith((mock.page_url, "data:,")) for each in shown.requests())
    shown.again()
    assert shown.holds("document.querySelectorAll('#rules li').length === 1")
    assert not shown.complaints()


@pytest.mark.parametrize("fragment", ["", "#token=wrong"])
def test_without_the_token_it_shows_nothing_until_it_gets_it(
    tab: Page, mock: Mock, fragment: str
) -> None:
    tab.go(mock.page_url + fragment)
    assert tab.holds("!document.querySelector('#entry').hidden")
    assert tab.holds(
        f"!{fragment!r} || document.querySelector('.wrong').innerText.includes('token')"
    )
    assert tab.evaluate("document.querySelector('#main').hidden") is True
    assert "/servers" not in "".join(tab.requests())
    tab.click("#token")
    tab.type(mock.token)
    tab.press("Enter")
    assert tab.holds("document.querySelectorAll('#rules li').length === 1")


def test_a_stream_is_seen_live_and_a_gate_is_opened_with_a_click(shown: Page, mock: Mock) -> None:
    client = mock.follow()
    assert shown.holds("document.querySelector('#live').innerText.includes('2 frames, last id 2')")
    assert shown.holds("document.querySelector('#gates').innerText.includes('1 stream waiting')")
    assert shown.holds("document.querySelector('#rules').innerText.includes('fired once')")
    shown.click("#gates button")
    assert shown.holds("document.querySelector('#live').innerText === 'No stream is open.'")
    assert client.communicate(timeout=20)[0] == b"5\n"
    assert shown.holds(f"{LOG}.includes('5 frames')")
    assert "rule 1 fired: after 2 frames stalls until the gate 'mid' opens" in shown.text(LOG)


def test_a_stream_is_ended_with_a_click(shown: Page, mock: Mock) -> None:
    client = mock.follow()
    assert shown.holds("document.querySelectorAll('#live button').length === 2")
    shown.click("#live button")
    assert client.wait(20) != 0
    assert shown.holds("document.querySelector('#live').innerText === 'No stream is open.'")


def test_there_is_a_button_for_each_fault_and_it_adds_a_rule_that_acts(
    shown: Page, mock: Mock
) -> None:
    names = "[...document.querySelectorAll('#faults button')].map((each) => each.innerText).join()"
    assert sorted(shown.text(names).split(",")) == sorted(n for n, f in FAULTS.items() if f.alone)
    shown.evaluate(
        "[...document.querySelectorAll('#faults button')].find((e) => e.innerText === 'body').click()"
    )
    assert shown.evaluate("document.querySelector('dialog').open") is True
    shown.click("#add")
    assert shown.holds("document.querySelector('#rules').innerText.includes('status 502')")
    mock.get("/v1/me")
    mock.get("/v1/me")
    assert shown.holds(f"{LOG}.includes('me 2')")
    text = shown.text(LOG)
    assert (text.count("502"), text.count("200")) == (2, 1)


def test_a_rule_that_makes_no_sense_is_refused_in_the_dialog(shown: Page) -> None:
    shown.click("#faults button")
    shown.evaluate("document.querySelector('#rule').value = '{\"edn\": \"rst\"}'")
    shown.click("#add")
    assert shown.holds("document.querySelector('#mistake').innerText.includes('did you mean')")
    assert shown.evaluate("document.querySelector('dialog').open") is True


def test_a_rule_is_removed_and_the_server_starts_over(shown: Page, mock: Mock) -> None:
    mock.get("/v1/me")
    assert shown.holds(f"{LOG}.includes('me 1')")
    shown.click("#rules button")
    assert shown.holds("document.querySelector('#rules').innerText.startsWith('No rules')")
    shown.click("#reset")
    assert shown.holds(f"!{LOG}.includes('me 1')")
    assert shown.holds("document.querySelectorAll('#rules b').length === 1")


def test_the_journal_shows_the_records_of_an_exchange_and_can_be_filtered(
    shown: Page, mock: Mock
) -> None:
    mock.get("/v1/me")
    mock.get("/v1/nowhere")
    assert shown.holds(f"{LOG}.includes('404')")
    shown.click("#log summary")
    assert shown.holds(
        "document.querySelector('#log pre').innerText.includes('\"kind\": \"Exchange')"
    )
    assert "Bearer [redacted]" in shown.text(LOG)
    shown.click("#filter")
    shown.type("me 1")
    assert shown.holds(f"!{LOG}.includes('404') && {LOG}.includes('me 1')")


def test_what_a_client_sends_is_text_and_never_markup(shown: Page, mock: Mock) -> None:
    mock.get("/v1/<img/src=x/onerror=alert(1)>")
    assert shown.holds(f"{LOG}.includes('onerror=alert')")
    assert shown.evaluate("document.images.length") == 0
    assert not shown.complaints()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(
    shown: Page, mock: Mock, colours: str
) -> None:
    shown.screen(390, 844, mobile=True)
    shown.media(colours=colours)
    mock.follow()
    assert shown.holds("document.querySelector('#gates').innerText.includes('1 stream waiting')")
    assert shown.evaluate("document.documentElement.scrollWidth") == 390
    assert shown.text(PALE) == ""
    low = "[...document.querySelectorAll('main button')].filter((e) => e.offsetHeight < 36).length"
    assert shown.evaluate(low) == 0


def test_a_page_whose_mock_has_ended_says_so(shown: Page, mock: Mock) -> None:
    body = json.dumps({}).encode()
    headers = {"Authorization": f"Bearer {mock.token}"}
    request = urllib.request.Request(f"{mock.page_url}v1/shutdown", body, headers)
    urllib.request.urlopen(request, timeout=20).close()
    assert shown.holds("document.querySelector('#state').innerText === 'not connected'")
