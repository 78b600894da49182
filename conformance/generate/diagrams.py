"""Write the state machines of the protocol as Mermaid diagrams and Markdown tables.

Everything comes from the table that `arkor_proto` executes.
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
_MANY: Final = 4
"""The number of states from which on a signal that ends the machine is listed instead of drawn."""

_TITLES: Final = {"Job": "job", "Stream": "stream", "Stop": "stop", "Exchange": "exchange"}
_MACHINE_INTRO: Final = """\
# The machines

Written by `python -m conformance.generate.diagrams` from the table that the core executes; do not
edit.

A trainer consists of three machines. The *job* tracks whether the create has been submitted and
whether the job's id is known. The *stream* is the wait, from the request for the events to the
result. The *stop* is the request to cancel the job. They are nearly independent: an abort, for
example, is a signal only of the stream and does not change the job and the stop. Where one machine
has to wait for another, there is a joint rule. The *exchange* is the machine of a single request:
it defines which reports from the network are possible.

Every arrow is a move. A signal that ends the machine in many of its states is listed below the
diagram instead of drawn. All other pairs of state and signal are in [the grid](grid.md).
"""
_GRID_INTRO: Final = """\
# The grid

Written by `python -m conformance.generate.diagrams` from the table that the core executes; do not
edit.

There is one table for each machine of [the diagrams](machine.md), with a column for each state and
a row for each signal. `→ state` is a move, possibly to the same state. `·` means that the signal is
ignored, for the reason given. `✗` means that it is illegal: the code that raises it has a bug and
gets an error, and the state does not change.
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
    """Return one machine as a Mermaid state diagram; signals for the same move share an arrow.

    Signals that end the machine in many states are in a table below the diagram.
    """
    every = _members(states)
    listed = _ways_out(every, signals)
    arrows: dict[tuple[State, State], list[str]] = {}
    for state in every:
        for signal, to in _moves(state, signals):
            if (signal, to) not in listed:
                arrows.setdefault((state, to), []).append(signal.value)
    drawn = [each for each in every if each is every[0] or any(each in ends for ends in arrows)]
    lines = ["```mermaid", "stateDiagram-v2"]
    lines += [f'    state "{state.value}" as {state.name}' for state in drawn]
    lines.append(f"    [*] --> {every[0].name}")
    for (start, end), names in arrows.items():
        lines.append(f"    {start.name} --> {end.name}: {', '.join(names)}")
    lines += [f"    {state.name} --> [*]" for state in drawn if _is_final(state, signals)]
    lines.append("```")
    if listed:
        lines += ["", _row(["Signal", "from", "to"]), _row(["---"] * 3)]
    for (signal, to), starts in listed.items():
        many = ", ".join(state.value for state in starts)
        lines.append(_row([f"**{signal.value}**", many, to.value]))
    return "\n".join([*lines, ""])


def _moves(state: State, signals: type[Signal]) -> Iterator[tuple[Signal, State]]:
    for signal in signals:
        cell = TABLE[state][signal]
        if isinstance(cell, Move):
            yield signal, cell.to


def _is_final(state: State, signals: type[Signal]) -> bool:
    return all(to is state for _, to in _moves(state, signals))


def _ways_out(every: list[State], signals: type[Signal]) -> dict[tuple[Signal, State], list[State]]:
    """Return the moves of many states to the first or to a final state, with those many states."""
    found: dict[tuple[Signal, State], list[State]] = {}
    for state in every:
        for move in _moves(state, signals):
            found.setdefault(move, []).append(state)
    return {
        (signal, to): starts
        for (signal, to), starts in found.items()
        if len(starts) >= _MANY and (to is every[0] or _is_final(to, signals))
    }


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
        "When one machine moves, another may move with it immediately.",
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
        print(written)  # noqa: T201 - tells the user which files were written
