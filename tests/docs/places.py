"""The places where people read English here, and a sample of them for a reader who has not seen them.

`python -m tests.docs.places --seed 1 --count 30` prints places drawn at random: the kinds take turns,
so that the many docstrings do not crowd out the few messages. The question to ask of each one: would
an English-speaking engineer write this?
"""

import argparse
import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

from attrs import frozen

from conformance.strict_data import Json
from tests.forked import ROOT

PACKAGES: Final = ("arkor_proto", "mock_server", "conformance")
GUIDES: Final = (
    "*.md",
    "docs/*.md",
    "docs/tutorials/*.md",
    "docs/reference/*.md",
    "mock_server/*.md",
)
SPECIFICATION: Final = ("spec/*.md", "spec/*.toml")
CASES: Final = (
    "conformance/cases/*.toml",
    "conformance/mutants/*.toml",
    "conformance/backends/*.toml",
)
PAGES: Final = ("conformance/reports/**/*.js", "mock_server/admin/*.js", "**/page.html")
SENTENCES: Final = frozenset({"why", "text", "what", "excluded", "promise", "missed"})
"""The keys of case files and rules that have prose."""
WORDS: Final = 4
"""Text of fewer words is a name or a label."""

_WORD: Final = re.compile(r"[A-Za-z][a-z']+")
_FENCE: Final = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_QUOTED: Final = re.compile(r'"([^"\n]{12,})"|`([^`\n]{12,})`|>([^<>{}]{12,})</')


@frozen
class Place:
    """One piece of text, and where it is."""

    kind: str
    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"[{self.kind}] {self.path.relative_to(ROOT)}:{self.line}\n{self.text}"


@cache
def places() -> Mapping[str, Sequence[Place]]:
    """Return every place, by its kind."""
    found: dict[str, list[Place]] = {}
    for place in _all():
        if len(_WORD.findall(place.text)) >= WORDS <= len(place.text.split()):
            found.setdefault(place.kind, []).append(place)
    return found


def draw(seed: int, count: int) -> Sequence[Place]:
    """Return `count` different places; the same seed draws the same ones from the same texts."""
    random = Random(seed)  # noqa: S311 - a sample, not a secret
    kinds = [random.sample(each, min(count, len(each))) for _, each in sorted(places().items())]
    drawn: list[Place] = []
    while len(drawn) < count and any(kinds):
        drawn += [each.pop() for each in kinds if each][: count - len(drawn)]
    return drawn


def _all() -> Iterator[Place]:
    for package in PACKAGES:
        for path in _files(f"{package}/**/*.py"):
            yield from _code(path)
    for path in _files(*GUIDES):
        yield from _paragraphs("guide", path)
    for path in _files(*SPECIFICATION):
        read = _tables if path.suffix == ".toml" else _paragraphs
        yield from read("specification", path)
    for path in _files(*CASES):
        yield from _tables("case", path)
    for path in _files(*PAGES):
        yield from _quoted("page", path)


def _files(*patterns: str) -> Iterator[Path]:
    for pattern in patterns:
        for path in sorted(ROOT.glob(pattern)):
            if not {"node_modules", ".venv"} & set(path.relative_to(ROOT).parts):
                yield path


def _code(path: Path) -> Iterator[Place]:
    """Yield docstrings, and every other string that has words: messages, help, parts of reports."""
    tree = ast.parse(path.read_text("utf-8"))
    described: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text)) as constant):
                described.add(id(constant))
                yield Place("docstring", path, node.lineno, text)
            case ast.JoinedStr():
                described.update(id(each) for each in node.values)
                yield Place("message", path, node.lineno, _joined(node))
            case ast.Constant(value=str(text)) if id(node) not in described:
                yield Place("message", path, node.lineno, text)
            case _:
                pass


def _joined(node: ast.JoinedStr) -> str:
    return "".join(
        each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else "{…}"
        for each in node.values
    )


def _paragraphs(kind: str, path: Path) -> Iterator[Place]:
    text = _FENCE.sub(lambda found: "\n" * found[0].count("\n"), path.read_text("utf-8"))
    line = 1
    for paragraph in re.split(r"(\n\s*\n)", text):
        rows = paragraph.splitlines() if paragraph.lstrip().startswith("|") else [paragraph]
        for number, row in enumerate(rows):
            start = line + number + len(row) - len(row.lstrip("\n"))
            yield Place(kind, path, start, row.strip())
        line += paragraph.count("\n")


def _tables(kind: str, path: Path) -> Iterator[Place]:
    text = path.read_text("utf-8")
    lines = text.splitlines()
    for value in _texts(tomllib.loads(text)):
        first = value.strip().split("\n")[0]
        line = next((n for n, each in enumerate(lines, 1) if first and first in each), 1)
        yield Place(kind, path, line, value.strip())


def _texts(value: Json) -> Iterator[str]:
    """Yield the sentences of a table, and not the frames and heads that a case sends."""
    for key, each in value.items() if isinstance(value, Mapping) else ():
        if key in SENTENCES and isinstance(each, str):
            yield each
        elif isinstance(each, Mapping):
            yield from _texts(each)
        elif isinstance(each, list):
            for item in each:
                yield from _texts(item)


def _quoted(kind: str, path: Path) -> Iterator[Place]:
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        for found in _QUOTED.finditer(line):
            yield Place(kind, path, number, next(filter(None, found.groups())))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a sample."""
    parser = argparse.ArgumentParser(prog="python -m tests.docs.places")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=30)
    options = parser.parse_args(arguments)
    for number, place in enumerate(draw(options.seed, options.count), 1):
        sys.stdout.write(f"{number}. {place}\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
