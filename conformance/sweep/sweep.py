"""The tasks of a sweep, and the rows that they produce.

A task simulates one outage, given by its settings, such as the strategy, the duration and the seed.
Its result is a row, which depends on nothing but these settings, so a scheduler may run the task
again on another machine if the first machine dies.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from statistics import mean
from typing import Final

from attrs import field, frozen
from distributed import Client, as_completed
from rich.table import Table

from conformance.simulate.fleet import STRATEGIES, Outage, lived
from conformance.simulate.saved import of_fleet
from conformance.strict_data import Json

Row = Mapping[str, Json]
_AVERAGED: Final = (
    "first_peak_per_second",
    "peak_per_second",
    "back_after_seconds",
    "attempts",
    "wasted",
)


@frozen(kw_only=True)
class Sweep:
    """Simulates every combination of a strategy, an outage and a seed."""

    clients: int
    outages: Sequence[float]
    """The durations of the outages, in seconds."""
    seeds: int
    capacity: float | None = None
    strategies: Sequence[str] = field(default=tuple(STRATEGIES))

    def tasks(self) -> Sequence[Outage]:
        """Return the tasks, always in the same order."""
        return [
            Outage(
                clients=self.clients,
                seconds=seconds,
                capacity=self.capacity,
                strategy=strategy,
                seed=seed,
            )
            for seconds, strategy, seed in product(self.outages, self.strategies, range(self.seeds))
        ]


def row(task: Outage) -> Row:
    """Run one task and return its row."""
    return of_fleet(lived(task))


def swept(
    client: Client, tasks: Sequence[Outage], on_row: Callable[[int], None] = lambda _: None
) -> Sequence[Row]:
    """Run tasks on a cluster and return their rows, in the order of the tasks.

    `on_row` is called after each row, with the number of rows so far.
    """
    futures = [client.submit(row, task) for task in tasks]
    rows: dict[str, Row] = {}
    for future in as_completed(futures):
        rows[future.key] = future.result()
        on_row(len(rows))
    return [rows[future.key] for future in futures]


def missing_or_duplicated(tasks: Sequence[Outage], rows: Sequence[Row]) -> tuple[int, int]:
    """Return the number of tasks without a row, and the number of duplicate rows."""
    due = Counter(f"{task.strategy} {task.seconds} {task.seed}" for task in tasks)
    here = Counter("{strategy} {outage_seconds} {seed}".format_map(each) for each in rows)
    return (due - here).total(), (here - due).total()


def table(sweep: Sweep, rows: Sequence[Row]) -> Table:
    """Return a table of the means over all seeds, with a row for each pair of outage and strategy."""
    found = Table(box=None, pad_edge=False)
    for name in (
        *("outage", "strategy", "1st peak/s", "peak/s after"),
        *("99% back", "attempts", "wasted"),
    ):
        found.add_column(name, justify="left" if name == "strategy" else "right")
    for seconds, strategy in product(sweep.outages, sweep.strategies):
        chosen = [
            each
            for each in rows
            if (each["outage_seconds"], each["strategy"]) == (seconds, strategy)
        ]
        first, peak, back, attempts, wasted = (
            mean(float(str(each[name])) for each in chosen) for name in _AVERAGED
        )
        found.add_row(
            f"{seconds:g} s",
            strategy,
            f"{first:,.0f}",
            f"{peak:,.0f}",
            f"{back:,.1f} s",
            f"{attempts / sweep.clients:.2f}",
            f"{wasted / sweep.clients:.2f}",
        )
    return found
