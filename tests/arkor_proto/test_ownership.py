"""No object of the core writes another's fields."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import arkor_proto

CORE = sorted(Path(arkor_proto.__file__).parent.glob("_*.py"))
DRAFTS = {"draft"}
"""A log is filled before it becomes what it is: `_json.py`, the only place."""


def foreign_writes(source: str) -> Iterator[str]:
    """Yield each assignment to a field of anything but `self`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            owner = ast.unparse(node.value)
            if owner != "self":
                yield f"{owner}.{node.attr}"


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_a_module_writes_no_fields_but_those_of_its_own_objects(path: Path) -> None:
    written = {name.partition(".")[0] for name in foreign_writes(path.read_text())}
    assert written <= (DRAFTS if path.stem == "_json" else set()), sorted(written)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("self.a = 1", []),
        ("self.a.b = 1", ["self.a.b"]),
        ("other.a = 1", ["other.a"]),
        ("other.a += 1", ["other.a"]),
        ("x, other.a = 1, 2", ["other.a"]),
        ("self.a, self.b.c = 1, 2", ["self.b.c"]),
        ("del other.a", ["other.a"]),
        ("other.a: int = 1", ["other.a"]),
        ("other.a[0] = self.b", []),
    ],
)
def test_a_foreign_write_is_found(source: str, found: list[str]) -> None:
    assert list(foreign_writes(source)) == found
