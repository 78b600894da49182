"""Follow jobs for minutes with thousands of followers, while the backend breaks their streams.

    python -m tests.soak [asyncio] [trio] [threads] [--followers N] [--seconds N] [--seed N] [--json FILE]

The mock runs in a process of its own, with random faults. Each follower takes a job, follows it to its
end, and takes the next; some jobs are cancelled, some waits are aborted and resumed. Nothing may be lost
or duplicated, memory must be flat, and all descriptors, tasks and threads must be gone at the end.
"""

import argparse
import json
import logging
import os
import platform
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from arkor_proto.cli.numbers import seconds, whole
from arkor_proto.cli.parser import Parser, one_of, typed
from arkor_proto.cli.shell import BAD, OK, UNABLE, CommandError, run
from tests.soak.checks import Plant
from tests.soak.report import Report
from tests.soak.running import Order, soak

_CARRIERS: Final = {"asyncio": 2000, "trio": 2000, "threads": 200}
"""What carries the followers, and how many there are if nothing else is said."""
_INTERRUPTED: Final = 130
_NAME: Final = "soak"
_TUNABLES: Final = "GLIBC_TUNABLES"
_NO_CACHES: Final = "glibc.malloc.tcache_count=0"
"""Turns off the caches of malloc: each thread has one, which fills up for hours and counts as in use."""


def main(given: Sequence[str] | None = None) -> int:
    """Run the soaks, print what they have shown; return 1 if a promise is broken."""
    return run(_NAME, lambda: _act(sys.argv[1:] if given is None else given))


def _act(given: Sequence[str]) -> int:
    options = _parsed(given)
    if options.json is not None and not options.json.parent.is_dir():
        raise CommandError(f"--json: {options.json}: its folder does not exist")
    if not Path("/proc/self/statm").exists():
        raise CommandError(
            "memory is read from /proc, which this system lacks; run it on Linux", UNABLE
        )
    logging.getLogger("arkor_proto").setLevel(logging.CRITICAL)  # each fault would be a line
    plants = frozenset(map(Plant, options.plant))
    reports: list[Report] = []
    for carrier in options.carriers or _CARRIERS:
        followers = options.followers or _CARRIERS[carrier]
        order = Order(carrier, followers, options.seconds, options.seed, plants, options.interval)
        found = soak(order)
        reports.append(found)
        sys.stdout.write(found.text())
        sys.stdout.flush()
        if options.json is not None:
            _write(options.json, reports)
        if found.gone is not None:
            raise CommandError(
                f"the mock ended after {found.seconds:.0f} s ({found.gone}); run it again", UNABLE
            )
        if found.interrupted:
            sys.stderr.write(f"{_NAME}: interrupted by SIGINT after {found.seconds:.0f} s\n")
            return _INTERRUPTED
    return BAD if any(each.broken for each in reports) else OK


def _write(path: Path, reports: Sequence[Report]) -> None:
    told = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "runs": [each.as_dict() for each in reports],
    }
    path.write_text(json.dumps(told, indent=2) + "\n", "utf-8")


class _Options(argparse.Namespace):
    """What was given on the command line."""

    carriers: list[str]
    followers: int | None
    seconds: float
    interval: float | None
    seed: int
    json: Path | None
    plant: list[str]


def _parsed(given: Sequence[str]) -> _Options:
    parser = Parser(
        prog="python -m tests.soak",
        description=(__doc__ or "").partition("\n")[0],
        epilog="exit status: 0 every promise kept, 1 one is broken, 2 bad input, 3 it could not go on, "
        "130 Ctrl-C",
        allow_abbrev=False,
    )
    parser.add_argument(
        "carriers",
        nargs="*",
        metavar="CARRIER",
        type=one_of(tuple(_CARRIERS)),
        help="asyncio, trio, threads [all]",
    )
    parser.add_argument(
        "--followers",
        type=typed(partial(whole, least=1, most=30_000)),
        help="how many [default: 2000, and 200 threads]",
    )
    parser.add_argument(
        "--seconds",
        type=typed(partial(seconds, least=1, most=86_400)),
        default=600.0,
        help="how long on each [default: 600]",
    )
    parser.add_argument(
        "--interval",
        type=typed(partial(seconds, least=0.01, most=60)),
        metavar="SECONDS",
        help="between two events of a job [default: a fiftieth of --seconds, 12 at most]",
    )
    parser.add_argument(
        "--seed", type=typed(whole), default=1, help="of faults and followers [default: 1]"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    parser.add_argument(
        "--plant",
        type=one_of(tuple(each.value for each in Plant)),
        action="append",
        default=[],
        metavar="WHAT",
        help="break a promise on purpose, to see that it is noticed: "
        + ", ".join(each.value for each in Plant),
    )
    return parser.parse_args(given, _Options())


def start_without_caches() -> None:
    """Start this program again with malloc's caches turned off, unless they are or cannot be."""
    tunables = os.environ.get(_TUNABLES, "")
    if sys.platform == "linux" and _NO_CACHES not in tunables:
        os.environ[_TUNABLES] = f"{tunables}:{_NO_CACHES}".removeprefix(":")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is needed
