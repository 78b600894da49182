"""The command that simulates many outages with every strategy, on a Dask cluster."""

import json
import logging
import os
import signal
import sys
import time
from argparse import RawDescriptionHelpFormatter
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from arkor_proto.cli import numbers, shell
from arkor_proto.cli.parser import Parser, typed

if TYPE_CHECKING:
    from distributed import Client

_NAME: Final = "python -m conformance.sweep"
_LACKING: Final = "distributed is not installed; pip install 'arkor-proto[sweep]'"
_EXAMPLE: Final = """\
example:
  python -m conformance.sweep --kill-one --check
  python -m conformance.sweep --scheduler tcp://10.0.0.1:8786 --clients 100000

exit status:
  0  every row arrived exactly once and, with --check, matches the serial run
  1  a row is missing, duplicated or, with --check, different
  2  the command line is wrong; nothing was done
  3  the sweep could not run, or FILE could not be written
"""
_number: Final = typed(partial(numbers.whole, least=1, most=1_000_000))
_outage: Final = typed(partial(numbers.seconds, most=86_400.0))


@frozen(kw_only=True)
class _Options:
    clients: int
    outages: list[float]
    seeds: int
    scheduler: str | None
    kill_one: bool
    check: bool
    json: Path | None


def _options() -> _Options:
    parser = Parser(
        prog=_NAME,
        description="Simulate outages for fleets of clients, with every strategy, on Dask.",
        epilog=_EXAMPLE,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--clients", type=_number, default=1000, metavar="N", help="clients in each fleet (1000)")
    add(
        "--outages",
        type=_outage,
        nargs="+",
        default=[0.0, 30.0, 600.0],
        metavar="SECONDS",
        help="the durations of the outages (0 30 600)",
    )
    add("--seeds", type=_number, default=2, metavar="N", help="seeds per outage and strategy (2)")
    add(
        "--scheduler",
        metavar="ADDRESS",
        help="the address of your cluster's scheduler (default: start two workers for this run)",
    )
    add("--kill-one", action="store_true", help="kill one of the two workers during the run")
    add("--check", action="store_true", help="compare the rows with those of a serial run")
    add("--json", type=Path, metavar="FILE", help="write all rows to FILE as JSON")
    found = _Options(**vars(parser.parse_args()))
    if found.kill_one and found.scheduler is not None:
        parser.error(
            "--kill-one: kills only a worker that this command started; leave out --scheduler"
        )
    return found


def main() -> int:
    """Run the command line and return the exit status."""
    return shell.run(_NAME, _act)


def _act() -> int:
    options = _options()
    if find_spec("distributed") is None:
        raise shell.CommandError(_LACKING, shell.UNABLE)
    from conformance.reports import check_file, write_file  # noqa: PLC0415 - needs an extra
    from conformance.reports.screen import Page  # noqa: PLC0415
    from conformance.strict_data import ReadingError  # noqa: PLC0415
    from conformance.sweep.sweep import (  # noqa: PLC0415
        Sweep,
        missing_or_duplicated,
        row,
        swept,
        table,
    )
    from mock_server.strict.shapes import count_of  # noqa: PLC0415

    sweep = Sweep(clients=options.clients, outages=options.outages, seeds=options.seeds)
    tasks = sweep.tasks()
    try:
        if options.json is not None:
            check_file(options.json, "--json")
        began = time.monotonic()
        with _cluster(options.scheduler) as client:
            workers = len(client.nthreads())
            when = len(tasks) // 3 if options.kill_one else None
            rows = swept(client, tasks, partial(_kill, client, when))
        seconds = time.monotonic() - began
        missing, duplicated = missing_or_duplicated(tasks, rows)
        wrong = 0
        if options.check:
            wrong = sum(mine != theirs for mine, theirs in zip(map(row, tasks), rows, strict=True))
        if options.json is not None:
            write_file(options.json, json.dumps(rows, indent=2) + "\n", "--json")
    except ReadingError as error:
        raise shell.CommandError(str(error), shell.UNABLE) from error
    page = Page(highlight=False, soft_wrap=True)
    page.print(table(sweep, rows))
    page.print(
        f"sweep: {len(tasks)} fleets of {options.clients:,} clients on {count_of(workers, 'worker')}"
        f"{', one killed' if options.kill_one else ''}, {seconds:.1f} s: "
        f"{count_of(missing, 'row')} missing, {duplicated} duplicated"
        f"{f', {wrong} different from a serial run' if options.check else ''}"
    )
    return shell.BAD if missing or duplicated or wrong else shell.OK


@contextmanager
def _cluster(scheduler: str | None) -> "Generator[Client]":
    from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra

    if scheduler is not None:
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError) as error:
            why = f"--scheduler: no scheduler answers at {scheduler}"
            raise shell.CommandError(why, shell.UNABLE) from error
        with client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


def _kill(client: "Client", when: int | None, count: int) -> None:
    """Kill a worker if `count`, the number of rows so far, equals `when`."""
    if count != when:
        return
    pid = min(client.run(os.getpid).values())
    if sys.platform == "win32":
        os.kill(pid, signal.SIGTERM)  # on Windows this kills a process
    else:
        os.kill(pid, signal.SIGKILL)
