"""The site is built without warnings, and what other places refer to is on it."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

import arkor_proto
import mock_server
from arkor_proto.transports import anyio, blocking
from conformance import transport_suite
from conformance.casefile.requirements import load_requirements
from conformance.reports.published import places
from tests.test_commands import EACH

for needed in ("sphinx", "furo", "myst_parser"):
    pytest.importorskip(needed, reason="the site needs the docs extra")

pytestmark = pytest.mark.timeout(600)  # a build takes 15 seconds on a quiet machine

ROOT: Final = Path(__file__).parents[2]
INCLUDED: Final = (
    *(path.stem for path in ROOT.glob("*.md") if path.stem != "README"),
    *("mock_server/FAULTS", "mock_server/GUIDE", "spec/vectors/README"),
    *(f"spec/{path.stem}" for path in (ROOT / "spec").glob("*.md")),
)
MODULES: Final = (arkor_proto, anyio, blocking, mock_server, transport_suite)
ELSEWHERE: Final = {"Checkpointer", "Timeouts"}
"""The same classes in both clients, with one anchor each."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    words = ("-q", "-W", "--keep-going", "-b", "html", "-d", str(folder / ".cache"))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sphinx", *words, str(ROOT / "docs"), str(folder)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> Mapping[str, str]:
    """Return the text of every page."""
    found = site.rglob("*.html")
    return {str(page.relative_to(site)): page.read_text("utf-8") for page in found}


def anchors(page: str) -> Counter[str]:
    return Counter(re.findall(r' id="([^"]+)"', page))


@pytest.mark.parametrize(
    ("page", "data"),
    [("protocol", "requirements.toml"), ("backend", "backend-requirements.toml")],
)
def test_every_rule_has_one_anchor(page: str, data: str, pages: Mapping[str, str]) -> None:
    found = anchors(pages[f"spec/{page}.html"])
    rules = load_requirements(ROOT / "spec" / data)
    assert [rule for rule in rules if found[rule.lower()] != 1] == []


def test_the_links_of_a_report_lead_to_an_anchor(pages: Mapping[str, str]) -> None:
    linked = {place.partition(":~:")[0] for place in places().values()}
    assert linked <= set(anchors(pages["spec/protocol.html"]))


def test_a_rule_that_a_guide_names_is_a_link_to_its_anchor(pages: Mapping[str, str]) -> None:
    assert 'href="protocol.html#ark-bak-8"' in pages["spec/driver-guide.html"]
    assert 'href="#ark-srv-33"' in pages["spec/backend.html"]


def test_every_link_within_the_site_leads_to_an_anchor(pages: Mapping[str, str]) -> None:
    known = {f"{name}#{anchor}" for name, page in pages.items() for anchor in anchors(page)}
    linked = {
        f"{(Path('/') / name).parent.joinpath(page).resolve() if page else '/' + name}#{anchor}"[1:]
        for name, text in pages.items()
        for page, anchor in re.findall(r'href="([^":#]*\.html|)#([^"]+)"', text)
    }
    assert {link for link in linked if unescape(link) not in known} == set()


@pytest.mark.parametrize("name", INCLUDED)
def test_every_document_of_the_checkout_is_a_page(name: str, pages: Mapping[str, str]) -> None:
    title = (ROOT / f"{name}.md").read_text("utf-8").partition("\n")[0].removeprefix("# ")
    assert f"<h1>{title}<" in pages[f"{name}.html"]


def test_every_command_has_its_help(pages: Mapping[str, str]) -> None:
    page = unescape(re.sub("<[^>]+>", "", pages["reference/commands.html"]))
    shown = re.findall(r"^usage: (\S+ \S+)", page, re.MULTILINE | re.IGNORECASE)
    assert {f"{command} {sub}" for command, sub in EACH} <= set(shown)


def test_every_schema_can_be_downloaded(pages: Mapping[str, str]) -> None:
    listed = set(re.findall(r'download="" href="[^"]*/([^"/]+)"', pages["reference/schemas.html"]))
    assert listed == {path.name for path in (ROOT / "spec" / "schemas").iterdir()}


def test_the_openapi_description_is_shown_and_can_be_downloaded(pages: Mapping[str, str]) -> None:
    page = pages["reference/openapi.html"]
    assert re.search(r'download="" href="[^"]*/openapi\.yaml"', page)
    shown = unescape(re.sub("<[^>]+>", "", page))
    assert (ROOT / "spec" / "openapi.yaml").read_text("utf-8") in shown


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_public_name_is_in_the_reference(
    module: ModuleType, pages: Mapping[str, str]
) -> None:
    found = {anchor for page in pages.values() for anchor in anchors(page)}
    names = {name for name in module.__all__ if not name.startswith("__")} - ELSEWHERE
    assert {name for name in names if f"{module.__name__}.{name}" not in found} == set()


def test_nothing_is_loaded_from_elsewhere(pages: Mapping[str, str]) -> None:
    loaded = re.compile(r'(?:src|<link[^>]* href)="(https?:[^"]*)"')
    assert {url for page in pages.values() for url in loaded.findall(page)} == set()
