"""The state machines of the protocol, drawn and printed from the table that is executed.

It knows how to write the table of `arkor_proto` as Mermaid diagrams and as Markdown grids. It
refuses to know what a state means: every word comes from the table itself.
`python -m conformance.generate.diagrams` writes `spec/machine.md` and `spec/grid.md`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, assert_never

from arkor_proto._table import (
    JOINT,
    MACHINES,
    TABLE,
    Cell,
    Ignored,
    Illegal,
    Joint,
    Move,
    Signal,
    State,
)

SPEC: Final = Path(__file__).parents[2] / "spec"

_TITLES: Final = {"Job": "job", "Stream": "stream", "Stop": "stop", "Exchange": "exchange"}
_MACHINE_INTRO: Final = """\
# The machines

Written by `python -m conformance.generate.diagrams` from the table that the core executes; do not edit.

A trainer is three machines. The *job* says whether the create has been submitted and whether the
job's id is known. The *stream* is the wait, from the request for the events to the result. The
*stop* is the request to cancel the job. They hardly know each other: an abort is a signal of the
stream alone, which leaves the job and the stop as they are. Where one machine has to wait for
another, a joint rule says so. The *exchange* is a machine of every single request: it says which
reports of the network are possible at all.

Every arrow is a move. What happens to all other pairs of state and signal stands in
[the grid](grid.md).
"""
_GRID_INTRO: Final = """\
# The grid

Written by `python -m conformance.generate.diagrams` from the table that the core executes; do not edit.

One table for each machine of [the diagrams](machine.md): the states from left to right, the
signals from top to bottom. `→ state` is a move, also to the same state; `·` is ignored, for the
reason given; `✗` is illegal: whoever raises it has a bug, is told so, and nothing changes.
"""


def machine_page() -> str:
    """Return `spec/machine.md`."""
    parts = [_MACHINE_INTRO]
    for states, signals in MACHINES:
        parts.append(f"## The {_title(states)}\n\n{diagram(states, signals)}")
    return "\n".join([*parts, _joint_rules()])


def grid_page() -> str:
    """Return `spec/grid.md`."""
    tables = [f"## The {_title(states)}\n\n{grid(states, signals)}" for states, signals in MACHINES]
    return "\n".join([_GRID_INTRO, *tables])


def diagram(states: type[State], signals: type[Signal]) -> str:
    """Return one machine as a Mermaid state diagram; signals of the same arrow share it."""
    every = _members(states)
    arrows: dict[tuple[State, State], list[str]] = {}
    for state in every:
        for signal in signals:
            cell = TABLE[state][signal]
            if isinstance(cell, Move):
                arrows.setdefault((state, cell.to), []).append(signal.value)
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{state.value}" as {state.name}' for state in every]
    lines.append(f"    [*] --> {every[0].name}")
    for (start, end), names in arrows.items():
        lines.append(f"    {start.name} --> {end.name}: {', '.join(names)}")
    lasting = {start for start, end in arrows if start is not end}
    lines += [f"    {state.name} --> [*]" for state in every if state not in lasting]
    return "\n".join([*lines, "```", ""])


def grid(states: type[State], signals: type[Signal]) -> str:
    """Return one machine as a Markdown table: a row for each signal, a column for each state."""
    every = _members(states)
    lines = [_row(["", *(state.value for state in every)]), _row(["---"] * (len(every) + 1))]
    for signal in signals:
        cells = (_cell(TABLE[state][signal]) for state in every)
        lines.append(_row([f"**{signal.value}**", *cells]))
    return "\n".join([*lines, ""])


def write(directory: Path = SPEC) -> Iterator[Path]:
    """Write both pages into `directory` and yield their paths."""
    for name, page in (("machine.md", machine_page()), ("grid.md", grid_page())):
        path = directory / name
        path.write_text(page, encoding="utf-8")
        yield path


def _joint_rules() -> str:
    lines = [
        "## Joint rules",
        "",
        "When a machine has moved, another may move with it at once.",
        "",
    ]
    lines += [_row(["When", "and", "then"]), _row(["---"] * 3), *map(_joint_row, JOINT)]
    return "\n".join([*lines, ""])


def _joint_row(joint: Joint) -> str:
    when = f"the {_machine_of(joint.when)} takes *{joint.when.value}*"
    given = f"the {_title(type(joint.given))} is *{joint.given.value}*"
    return _row([when, given, f"the {_machine_of(joint.then)} takes *{joint.then.value}*"])


def _machine_of(signal: Signal) -> str:
    return next(_title(states) for states, signals in MACHINES if isinstance(signal, signals))


def _title(states: type[State]) -> str:
    return _TITLES[states.__name__]


def _members(states: type[State]) -> list[State]:
    return [state for state in TABLE if isinstance(state, states)]


def _cell(cell: Cell) -> str:
    match cell:
        case Move(to):
            return f"→ {to.value}"
        case Ignored(why):
            return f"· {why}"
        case Illegal(why):
            return f"✗ {why}"
        case never:
            assert_never(never)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    for written in write():
        print(written)  # noqa: T201 - what a command line is for
