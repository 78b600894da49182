"""Changes one cell of the table of states at a time, and prints those that the core's tests miss.

    python -m tests.mutation.table_cells

mutmut changes what is inside functions; the table is data. Here a move leads to another state, is
ignored or is illegal; what is ignored moves or is illegal; a joint rule never applies. The exit
status is 1 if a change was missed.
"""

import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen

from arkor_proto._table import (
    JOINT,
    TABLE,
    Cell,
    Exchange,
    Ignored,
    Illegal,
    Joint,
    Move,
    Signal,
    State,
)

ROOT: Final = Path(__file__).parents[2]
IGNORED: Final = Ignored("a mutant ignores it")
ILLEGAL: Final = Illegal("a mutant refuses it")


@frozen
class Mutant:
    """One change, and what it is called."""

    name: str
    apply: Callable[[], None]


def mutants() -> Iterator[Mutant]:
    """Make all mutants of the table."""
    for state, row in TABLE.items():
        for signal, cell in row.items():
            for other in others(state, cell):
                name = f"{state} x {signal.name}: {cell} becomes {other}"
                yield Mutant(name, partial(set_cell, state, signal, other))
    for joint in JOINT:
        yield Mutant(f"{joint} never applies", partial(silence, joint))


def others(state: State, cell: Cell) -> tuple[Cell, ...]:
    """Return what a mutant has in the place of a cell; none for a pair that cannot come up."""
    states: list[State] = list(type(state))
    match cell:
        case Move(to):
            return Move(states[states.index(to) - 1]), IGNORED, ILLEGAL
        case Ignored() if isinstance(state, Exchange):
            return (ILLEGAL,)  # it is over and no longer kept, so no move can be seen
        case Ignored():
            return Move(states[states.index(state) - 1]), ILLEGAL
        case Illegal():
            return ()


def set_cell(state: State, signal: Signal, cell: Cell) -> None:
    """Change one cell of the table."""
    row = TABLE[state]
    if isinstance(row, dict):
        row[signal] = cell


def silence(joint: Joint) -> None:
    """Let a joint rule wait for a state that no trainer is in."""
    object.__setattr__(joint, "given", Exchange.OVER)


def run_tests(*options: str) -> int:
    """Run the tests that mutmut runs, in this process and without a word."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    selection = settings["pytest_add_cli_args_test_selection"]
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        return pytest.main([*options, "-p", "no:randomly", "-p", "no:cacheprovider", *selection])


def is_missed(number: int | None) -> bool:
    """Return whether all tests pass in this process, with a mutant or without one."""
    if number is not None:
        [*mutants()][number].apply()
    return run_tests("-x") == pytest.ExitCode.OK


def main() -> int:
    """Try all mutants and print those that were missed."""
    os.chdir(ROOT)
    every = [*mutants()]
    run_tests("--collect-only")  # so that the processes below find all tests imported
    missed = 0
    with get_context("fork").Pool(maxtasksperchild=1) as pool:
        if not pool.apply(is_missed, (None,)):
            sys.exit("the tests fail without a mutant")
        verdicts = pool.imap(is_missed, range(len(every)))
        for mutant, is_one in zip(every, verdicts, strict=True):
            if is_one:
                sys.stdout.write(f"{mutant.name}\n")
                sys.stdout.flush()
            missed += is_one
    sys.stdout.write(f"{len(every)} mutants of the table, {missed} missed\n")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
