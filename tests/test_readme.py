"""The front door: what README, CONTRIBUTING and SECURITY show is what happens.

The Python examples of the README are tests of their own.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import unicodedata
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from conformance.backends.cases import backend_cases
from conformance.backends.requirements import backend_requirements
from conformance.backends.verdict import as_cases
from conformance.casefile.loader import load_cases
from conformance.casefile.requirements import load_requirements
from mock_server import scenario_from_toml
from tests.conformance.commandline import kit

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted(
    each.relative_to(ROOT)
    for pattern in ("*.md", "spec/**/*.md", "mock_server/*.md", "tests/*/README.md")
    for each in ROOT.glob(pattern)
)
VENV = "python3 -m venv .venv"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def shown(beginning: str) -> str:
    """Return the output that the README shows, by how it begins."""
    (found,) = (block for block in blocks("text") if block.startswith(beginning))
    return found


def words(text: str) -> list[str]:
    return text.split()


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    kept = "".join(
        each for each in heading.lower() if each in " -_" or unicodedata.category(each)[0] in "LN"
    )
    return kept.replace(" ", "-")


def anchors(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    counted: Counter[str] = Counter()
    found = set(re.findall(r'<a (?:id|name)="([^"]+)"', text))
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        name = slug(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", ""))
        found.add(f"{name}-{counted[name]}" if counted[name] else name)
        counted[name] += 1
    return found


def test_the_two_commands_do_their_own_set_up() -> None:
    assert blocks("bash") == [
        f"{VENV} && .venv/bin/pip install '.[conformance]' && .venv/bin/arkor-conformance run\n",
        f"{VENV} && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest\n",
    ]


@pytest.mark.parametrize("scenario", blocks("toml"))
def test_every_scenario_is_one_that_the_mock_takes(scenario: str) -> None:
    assert scenario_from_toml(scenario).rules


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_resolves(page: Path) -> None:
    text = re.sub(
        r"^```.*?^```$", "", (ROOT / page).read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    wrong: list[str] = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_path_it_names_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    named = re.findall(r"`((?:spec|arkor_proto|mock_server|conformance|tests)/[^`]*)`", text)
    assert named
    assert [path for path in named if not list(ROOT.glob(path))] == []


def test_every_generator_it_names_is_a_program() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"^\| .* \| `([a-z_.]+)` \|", text, re.MULTILINE)
    assert len(named) == 11
    for module in named:
        spec = find_spec(
            f"{module}.__main__" if (ROOT / module.replace(".", "/")).is_dir() else module
        )
        assert spec is not None
        assert spec.origin is not None
        assert '__name__ == "__main__"' in Path(spec.origin).read_text("utf-8")


def test_the_output_that_it_shows_counts_the_cases_that_there_are() -> None:
    cases = load_cases(load_requirements())
    counted = Counter(profile for case in cases for profile in case.profiles)
    output = shown("arkor-proto (anyio)")
    table = dict(re.findall(r"^(\S+) +CONFORMS .* (\d+) pass$", output, re.MULTILINE))
    assert table == {profile: str(number) for profile, number in counted.items()}
    assert f"it passed {counted.total()} cases" in " ".join(words(output))


@pytest.mark.thorough
def test_the_first_command_prints_what_the_readme_shows() -> None:
    done = kit("run")
    printed, told = (
        words(re.sub(r"\(\d+\.\d s\)|cases [0-9a-f]{12}", "", text))
        for text in (done.out, shown("arkor-proto (anyio)"))
    )
    assert printed == told


def test_the_output_about_a_backend_counts_the_cases_that_there_are() -> None:
    counted = Counter(
        profile
        for each in as_cases(tuple(backend_cases().values()), backend_requirements())
        for profile in each.profiles
    )
    rows = re.findall(
        r"^(\S+) +CONFORMS .* (\d+) pass, (\d+) n/a$",
        shown("arkor-mock 0.1.0 satisfies"),
        re.MULTILINE,
    )
    assert {name: int(passed) + int(left) for name, passed, left in rows} == counted


@pytest.mark.thorough
def test_the_command_about_a_backend_prints_what_the_readme_shows() -> None:
    done = kit("backend")
    printed, told = (
        words(re.sub(r"\(\d+\.\d s\)", "", text))
        for text in (done.out, shown("arkor-mock 0.1.0 satisfies"))
    )
    assert " ".join(told) in " ".join(printed)


def test_the_last_line_of_the_tests_is_what_the_readme_shows() -> None:
    told = shown("Not run: ").rpartition("…")[0].rpartition("…")[0].rpartition("…")[0]
    source = re.sub(r'"\n +"', "", (ROOT / "tests" / "conftest.py").read_text("utf-8"))
    assert " ".join(words(told)) in source


def test_the_five_minutes_go_as_they_are_told(tmp_path: Path) -> None:
    for program in ("bash", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on this machine")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    script = "\n".join(["set -m", *blocks("sh")]).replace("8077", port)
    done = subprocess.run(
        ["bash", "-c", script],  # noqa: S607 - any bash will do
        cwd=tmp_path,
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "TMPDIR": str(tmp_path),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert "resets the connection (RST)" in done.stdout
    assert '{"user":' in done.stdout
    assert '"status":"completed"' in done.stdout
    (log,) = tmp_path.glob("*/mock.log")
    assert f'"base_url": "http://127.0.0.1:{port}"' in log.read_text()
    expected = shown("submitted job-1")
    for line in expected.splitlines():
        stable = re.sub(r"Reconnecting in [\d.]+ s", "Reconnecting in", line)
        assert stable in re.sub(r"Reconnecting in [\d.]+ s", "Reconnecting in", done.stdout)


def test_it_has_one_picture_with_words_for_who_does_not_see_it() -> None:
    (found,) = re.findall(r"^!\[([^]]+)\]\(spec/pictures/report.png\)$", README, re.MULTILINE)
    assert len(found) > 40
