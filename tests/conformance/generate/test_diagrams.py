"""The diagrams of the machines always agree with the table."""

import re
from pathlib import Path

import pytest

from arkor_proto._table import MACHINES, TABLE, Ignored, Illegal, Move, Signal, State
from conformance.generate.diagrams import SPEC, diagram, grid, grid_page, machine_page, write

every_machine = pytest.mark.parametrize(
    ("states", "signals"), [pytest.param(*machine, id=machine[0].__name__) for machine in MACHINES]
)


@pytest.mark.parametrize(
    ("name", "page"), [("machine.md", machine_page()), ("grid.md", grid_page())]
)
def test_the_page_in_the_specification_is_the_one_that_is_generated(name: str, page: str) -> None:
    committed = (SPEC / name).read_text(encoding="utf-8")
    assert committed == page, f"spec/{name} is stale: run python -m conformance.generate.diagrams"


@every_machine
def test_a_diagram_has_every_move_and_no_other(states: type[State], signals: type[Signal]) -> None:
    text = diagram(states, signals)
    named = {state.value: state.name for state in TABLE if isinstance(state, states)}
    arrows = re.findall(r"^ +(\w+) --> (\w+): (.+)$", text, re.MULTILINE)
    listed = re.findall(r"^\| \*\*(.+)\*\* \| (.+) \| (.+) \|$", text, re.MULTILINE)
    shown = [(start, name, end) for start, end, names in arrows for name in names.split(", ")]
    shown += [
        (named[start], signal, named[end])
        for signal, starts, end in listed
        for start in starts.split(", ")
    ]
    moves = {
        (state.name, signal.value, cell.to.name)
        for state, row in TABLE.items()
        if isinstance(state, states)
        for signal, cell in row.items()
        if isinstance(cell, Move)
    }
    assert sorted(shown) == sorted(moves)


@every_machine
def test_a_grid_has_every_cell(states: type[State], signals: type[Signal]) -> None:
    rows = [line.strip("| ").split(" | ") for line in grid(states, signals).splitlines()]
    head, _, *body = rows
    every = [state for state in TABLE if isinstance(state, states)]
    assert head == [state.value for state in every]
    assert [row[0] for row in body] == [f"**{signal.value}**" for signal in signals]
    assert {len(row) for row in body} == {len(every) + 1}


@every_machine
def test_a_grid_gives_the_reason_of_every_cell_that_does_not_move(
    states: type[State], signals: type[Signal]
) -> None:
    text = grid(states, signals)
    for state in TABLE:
        for cell in TABLE[state].values() if isinstance(state, states) else ():
            match cell:
                case Move(to):
                    assert f"→ {to.value} |" in text
                case Ignored(why):
                    assert f"· {why} |" in text
                case Illegal(why):
                    assert f"✗ {why} |" in text


def test_the_pages_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    assert [path.name for path in write(tmp_path)] == ["machine.md", "grid.md"]
    assert (tmp_path / "machine.md").read_text(encoding="utf-8") == machine_page()
