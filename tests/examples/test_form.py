"""What holds for every example: it is short, it uses what is public, and the README links to it."""

import ast
import importlib
from pathlib import Path
from typing import Final

import pytest

from tests.examples.running import EXAMPLES, ROOT

SCRIPTS: Final = sorted(EXAMPLES.glob("*.py"))
OURS: Final = ("arkor_proto", "arkor_proto.transports.anyio", "arkor_proto.transports.blocking")
MOST_LINES: Final = 60


def imported(script: Path) -> list[tuple[str, str]]:
    """Return what a script imports: modules, each with a name in it or "" for the whole of it."""
    found: list[tuple[str, str]] = []
    for node in ast.walk(ast.parse(script.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module or ".", alias.name) for alias in node.names]
    return found


def test_there_are_examples() -> None:
    assert len(SCRIPTS) == 4


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_an_example_is_short(script: Path) -> None:
    assert len(script.read_text("utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_an_example_imports_public_names_only(script: Path) -> None:
    found = imported(script)
    ours = [(module, name) for module, name in found if module.startswith("arkor_proto")]
    assert ours
    for module, name in ours:
        assert module in OURS
        assert not name or name in importlib.import_module(module).__all__
    others = {module for module, _ in found} - {module for module, _ in ours}
    private = [part for module in others for part in module.split(".") if part.startswith("_")]
    assert private == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_an_example_reads_no_private_attribute(script: Path) -> None:
    tree = ast.parse(script.read_text("utf-8"))
    read = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert [name for name in read if name.startswith("_")] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_readme_links_to_an_example(script: Path) -> None:
    assert f"(examples/{script.name})" in (ROOT / "README.md").read_text("utf-8")
