"""Every snippet of a page in `docs/` is executed, in the order of the page and in a folder of its own.

A block whose first line is a comment with a name of a file is that file. `console` blocks are run, and
their output is compared; `...` there matches anything. Other Python is executed in this process.
"""

import doctest
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen

from mock_server import scenario_from_toml
from tests.docs.shell import ROOT, environment, search_path

DOCS: Final = ROOT / "docs"
FENCED: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED: Final = re.compile(r"# (\S+\.(?:py|toml))\n")
SESSION: Final = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
ALIKE: Final = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@frozen
class Snippet:
    """A fenced block of a page."""

    language: str
    text: str
    line: int


def snippets(page: Path) -> list[Snippet]:
    text = page.read_text("utf-8")
    return [
        Snippet(each[1], each[2], text.count("\n", 0, each.start()) + 2)
        for each in FENCED.finditer(text)
    ]


PAGES: Final = {
    str(page.relative_to(DOCS)): found
    for page in sorted(DOCS.rglob("*.md"))
    if (found := snippets(page))
}


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Return a search path on which the commands are those of this checkout."""
    return search_path(tmp_path)


def differing(console: str, folder: Path, path: str) -> Iterator[str]:
    """Yield each command of a console session that prints something else, with what it prints."""
    for command, expected in SESSION.findall(console):
        done = subprocess.run(
            ["sh", "-c", command],  # noqa: S607 - any shell will do
            cwd=folder,
            env=environment(path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=100,
            check=False,
        )
        if not doctest.OutputChecker().check_output(expected, done.stdout, ALIKE):
            yield f"$ {command}\n{done.stdout}"


@pytest.mark.parametrize("page", PAGES)
def test_every_snippet_of_a_page_does_what_it_shows(page: str, tmp_path: Path, path: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    names: dict[str, object] = {}
    for snippet in PAGES[page]:
        name = NAMED.match(snippet.text)
        match snippet.language:
            case "python" | "toml" if name is not None:
                (folder / name[1]).write_text(snippet.text, "utf-8")
            case "python":
                lines = "\n" * (snippet.line - 1) + snippet.text
                exec(compile(lines, str(DOCS / page), "exec"), names)  # noqa: S102 - a snippet of ours
            case "toml":
                scenario_from_toml(snippet.text)
            case "console":
                assert "".join(differing(snippet.text, folder, path)) == ""
            case "text":
                pass
            case "sh" | "yaml" if page == "shards.md":
                pass  # `test_recipes` has them
            case other:
                pytest.fail(f"{page}: nothing here runs snippets of the language {other!r}")


def test_the_tutorials_are_among_the_pages() -> None:
    assert {f"tutorials/{name}.md" for name in ("backend", "embed", "faults", "verify")} <= set(
        PAGES
    )
