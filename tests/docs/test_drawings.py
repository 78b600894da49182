"""The drawings of the diagrams can be read: no label covers another one."""

import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Final

import pytest

DRAWINGS: Final = Path(__file__).parents[2] / "docs" / "diagrams"
LABEL: Final = re.compile(
    r'<g class="edgeLabel" transform="translate\(([-\d.]+), ([-\d.]+)\)">'
    r'.*?<foreignObject width="([\d.]+)" height="([\d.]+)"'
)
STATE_DIAGRAMS: Final = [
    path
    for path in sorted(DRAWINGS.glob("*.svg"))
    if 'class="edgeLabel"' in path.read_text("utf-8")
]


def boxes(svg: str) -> Iterator[tuple[float, float, float, float]]:
    """Yield the middle, the width and the height of every label."""
    for found in LABEL.findall(svg):
        x, y, width, height = map(float, found)
        yield x, y, width, height


def test_the_machines_are_drawn() -> None:
    assert len(STATE_DIAGRAMS) >= 4


@pytest.mark.parametrize("path", STATE_DIAGRAMS, ids=lambda path: path.stem)
def test_no_label_of_a_state_diagram_covers_another(path: Path) -> None:
    svg = path.read_text("utf-8")
    assert [
        (one, other)
        for one, other in combinations(boxes(svg), 2)
        if all(abs(one[n] - other[n]) < (one[n + 2] + other[n + 2]) / 2 for n in (0, 1))
    ] == []


@pytest.mark.parametrize("path", STATE_DIAGRAMS, ids=lambda path: path.stem)
def test_a_state_diagram_is_not_much_wider_than_the_text(path: Path) -> None:
    width = re.search(r"max-width: ([\d.]+)px", path.read_text("utf-8"))
    assert width is not None
    assert float(width[1]) < 1000
