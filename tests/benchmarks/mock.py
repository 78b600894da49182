"""The mock's goals and figures: `python -m tests.benchmarks.mock` prints one Markdown table.

Every figure is measured in its own process, so that its memory does not affect the next one. With
`--check` the exit status is 1 if a goal is missed.
"""

import argparse
import platform
import sys
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Final, TypeVar

import anyio
from attrs import frozen

from tests.benchmarks.mock_measures import (
    FULL,
    SMALL,
    Beside,
    Opened,
    Size,
    fixture_takes,
    frames_per_second,
    open_streams,
    proxy_adds,
    ready_in,
    stall_in_the_addon,
    stall_in_the_proxy,
)

BACKENDS: Final = ("asyncio", "trio")
_T = TypeVar("_T")
_MS: Final = 1000.0


@frozen
class Row:
    """One row of the table: a figure, its goal, and whether the goal is met."""

    what: str
    figure: str
    goal: str
    met: bool


def at_least(what: str, figure: float, goal: float, unit: str) -> Row:
    """Return the row of a figure for which higher is better."""
    return Row(what, f"{figure:,.0f} {unit}", f"≥ {goal:,.0f}", figure >= goal)


def at_most(what: str, figure: float, goal: float, unit: str, *, more: str = "") -> Row:
    """Return the row of a figure for which lower is better; `more` is appended to the figure."""
    return Row(what, f"{figure:.2f} {unit}{more}", f"≤ {goal:g}", figure <= goal)


def judge_streams(opened: Opened, size: Size) -> Row:
    """Return the row for streams that are open at once; the goal is all of them."""
    seconds = f"opened in {opened.opening:.1f} s, told in {opened.telling:.1f} s"
    figure = f"{opened.streams:,} ({seconds})"
    met = opened.streams >= size.streams
    return Row("open streams in one process", figure, f"≥ {size.streams:,}", met)


def judge_stall(carrier: str, beside: Beside) -> list[Row]:
    """Return the rows for the effect of a stall on other streams and on the memory."""
    more = f" ({beside.alone * _MS:.1f} ms without)"
    slowest = f"slowest frame beside a stalled stream, {carrier}"
    return [
        at_most(slowest, beside.beside * _MS, 100.0, "ms", more=more),
        at_most(f"memory that a stalled stream takes, {carrier}", beside.grown, 10.0, "MB"),
    ]


def on(measure: Callable[[Size], Awaitable[_T]], size: Size, backend: str) -> _T:
    """Run an asynchronous measurement in its own process."""
    return alone(partial(run, measure, backend=backend), size)


def run(measure: Callable[[Size], Awaitable[_T]], size: Size, backend: str) -> _T:
    """Run an asynchronous measurement in this process."""
    return anyio.run(measure, size, backend=backend)


def alone(measure: Callable[[Size], _T], size: Size) -> _T:
    """Run a measurement in its own process; run a small one, which only checks, in this process."""
    if size is SMALL:
        return measure(size)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, size).result()


def rows_on(backend: str, size: Size) -> list[Row]:
    """Measure the figures that depend on the event loop."""
    ruled = partial(frames_per_second, ruled=True)
    stream = "one stream"
    return [
        at_least(stream, on(frames_per_second, size, backend), 20_000, "frames/s"),
        at_least(f"{stream}, a rule on its frames", on(ruled, size, backend), 20_000, "frames/s"),
        judge_streams(on(open_streams, size, backend), size),
        at_most("the native proxy adds to a frame", on(proxy_adds, size, backend) * _MS, 0.5, "ms"),
        *judge_stall("native proxy", on(stall_in_the_proxy, size, backend)),
    ]


def rows_of_the_process(size: Size) -> list[Row]:
    """Measure the figures that do not depend on the event loop; the addon needs mitmproxy."""
    found = find_spec("mitmproxy") is not None
    return [
        *(judge_stall("addon", on(stall_in_the_addon, size, "asyncio")) if found else ()),
        at_most("from the start to the ready line", alone(ready_in, size), 0.5, "s"),
        at_most("a fixture", alone(fixture_takes, size) * _MS, 5.0, "ms"),
    ]


def line(row: Row, where: str) -> str:
    """Return a row of the table as Markdown."""
    verdict = "met" if row.met else "**missed**"
    return f"| {row.what} | {where} | {row.figure} | {row.goal} | {verdict} |"


def table(size: Size) -> tuple[str, bool]:
    """Measure everything; return the table, and whether all goals are met."""
    found = [(row, backend) for backend in BACKENDS for row in rows_on(backend, size)]
    found += [(row, "") for row in rows_of_the_process(size)]
    heads = ["| what | on | figure | goal | |", "|---|---|--:|--:|---|"]
    lines = [line(row, where) for row, where in found]
    return "\n".join([*heads, *lines]), all(row.met for row, _ in found)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if `--check` is given and a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.mock")
    parser.add_argument("--small", action="store_true", help="only check that everything works")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    options = parser.parse_args(arguments)
    text, all_met = table(SMALL if options.small else FULL)
    sys.stdout.write(f"Python {platform.python_version()}\n\n{text}\n")
    return 1 if options.check and not all_met else 0


if __name__ == "__main__":
    sys.exit(main())
