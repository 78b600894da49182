"""The options that several commands share, each defined in one place."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

import click

from arkor_proto.cli import numbers
from conformance.casefile.requirements import PROFILE_NAMES
from conformance.casefile.shards import Shard

_P = ParamSpec("_P")
_N = TypeVar("_N", int, float)
FILE: Final = click.Path(path_type=Path)
_ONLY_PROFILE: Final = f"Only this profile: {', '.join(PROFILE_NAMES[:-1])} or {PROFILE_NAMES[-1]}"
_MOST_LANES: Final = 64
_PATIENCE: Final = (0.05, 3600.0)


def _typed(read: Callable[[str], _N]) -> Callable[[_N | str], _N]:
    """Return `read` as a click type that reports the message of a ValueError as a usage error."""

    def reading(given: _N | str) -> _N:
        try:
            return read(str(given))
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return reading


COUNT: Final = _typed(partial(numbers.whole, least=1))
"""A whole number of at least 1."""
_LANES: Final = _typed(partial(numbers.whole, least=1, most=_MOST_LANES))
_SEED: Final = _typed(partial(numbers.whole, least=-(10**18)))
FACTOR: Final = _typed(partial(numbers.seconds, least=0.01, most=100.0, what="a number"))
"""A factor for times."""
HOURS: Final = _typed(partial(numbers.seconds, least=0.2, most=1000.0, what="a number of hours"))
FLEET: Final = _typed(partial(numbers.whole, least=1, most=1_000_000))
"""A number of clients; a million of them take 6 GB of memory."""
OUTAGE: Final = _typed(partial(numbers.seconds, least=0.0, most=86_400.0))
CAPACITY: Final = _typed(
    partial(numbers.seconds, least=1.0, most=1e6, what="a number of connections")
)
CHUNKINGS: Final = _typed(partial(numbers.whole, least=0, most=10_000))
NUMBER: Final = _typed(partial(numbers.whole, least=0))
"""A whole number of at least 0."""
WATCH: Final = _typed(partial(numbers.seconds, least=1.0, most=86_400.0))
_WAIT: Final = _typed(partial(numbers.seconds, least=_PATIENCE[0], most=_PATIENCE[1]))


def profiles(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--profile`, which may be repeated, to a command."""
    return click.option(
        "--profile",
        "profiles",
        multiple=True,
        type=click.Choice(PROFILE_NAMES),
        metavar="PROFILE",
        show_default="all",
        help=f"{_ONLY_PROFILE}; may be repeated.",
    )(function)


def profile(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--profile`, which can be given at most once, to a command."""
    return click.option(
        "--profile",
        type=click.Choice(PROFILE_NAMES),
        metavar="PROFILE",
        show_default="all",
        help=f"{_ONLY_PROFILE}.",
    )(function)


def case_ids(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--case` to a command."""
    text = "Only this case, or the cases of this template; may be repeated."
    return click.option(
        "--case", "ids", multiple=True, metavar="CASE", show_default="all", help=text
    )(function)


def files(what: str) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return a decorator that adds `--file`; the help text begins with `what`."""
    return click.option(
        "--file",
        "files",
        multiple=True,
        metavar="FILE",
        type=FILE,
        show_default="the kit's cases",
        help=f"{what} the cases in this file; may be repeated.",
    )


def patterns(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--filter` to a command."""
    text = "Only cases whose id matches this pattern, such as 'budget.*'; may be repeated."
    return click.option(
        "--filter", "patterns", multiple=True, metavar="PATTERN", show_default="all", help=text
    )(function)


def _shard(context: click.Context, option: click.Parameter, given: str | None) -> Shard | None:
    if given is None:
        return None
    found = Shard.read(given)
    if found is None:
        raise click.BadParameter(
            f"{given!r} is not a valid shard; of four shards, the first is 1/4 and the last is 4/4",
            context,
            option,
        )
    return found


def shard(text: str) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return a decorator that adds `--shard` with this help text."""
    return click.option(
        "--shard", callback=_shard, metavar="I/N", show_default="everything", help=text
    )


def lanes(what: str, default: int | None) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return a decorator that adds `-j`; a default of None lets the kit choose."""
    return click.option(
        "-j",
        "--lanes",
        default=default,
        metavar="N",
        type=_LANES,
        show_default=default is not None or "2 in virtual time, else chosen by the kit",
        help=f"How many {what} to run at once, up to {_MOST_LANES}.",
    )


def patience(seconds: float) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return a decorator that adds `--patience` with this default in seconds."""
    return click.option(
        "--patience",
        default=seconds,
        metavar="SECONDS",
        type=_WAIT,
        help="How long to wait for a driver that does not answer.",
    )


def seed(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--seed` to a command."""
    text = "The seed for all random choices."
    return click.option("--seed", default=0, type=_SEED, metavar="N", help=text)(function)


def schedules(count: int) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return a decorator that adds `--schedules` with this default."""
    return click.option(
        "--schedules",
        default=count,
        metavar="N",
        type=COUNT,
        help="How many random fault schedules to play.",
    )


def out(name: str, content: str) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return a decorator that adds `-o`, the output file, with this default name."""
    return click.option(
        "-o", "--out", default=name, metavar="FILE", type=FILE, help=f"Where to write {content}."
    )


def baseline(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--baseline` to a command that plays random schedules."""
    text = "Ignore the known failures in this baseline (TOML), and continue past them."
    return click.option("--baseline", metavar="FILE", type=FILE, show_default="none", help=text)(
        function
    )


def known_failures(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--baseline`, a file of known failures, to a command that gives a verdict."""
    text = (
        "A TOML file of known failures: a [[known]] table for each one, with `case` and `reason`, "
        "and optionally `profile`, `assertion` and `expires`."
    )
    return click.option("--baseline", metavar="FILE", type=FILE, show_default="none", help=text)(
        function
    )


def new_baseline(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--write-baseline` to a command."""
    text = (
        "Write the current failures to FILE as known failures, with placeholder reasons that you "
        "then replace. To update an existing FILE, also give it as --baseline FILE."
    )
    return click.option(
        "--write-baseline",
        "new_baseline",
        metavar="FILE",
        type=FILE,
        show_default="none",
        help=text,
    )(function)


def strict(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--strict` to a command."""
    text = "Let proposed rules affect the verdict under every profile."
    return click.option("--strict", is_flag=True, help=text)(function)


def reports(*, required: bool) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return a decorator that adds `--report`, which may be repeated."""
    return click.option(
        "--report",
        "reports",
        multiple=True,
        required=required,
        metavar="PATH",
        type=FILE,
        show_default=False if required else "none",
        help="Write a report to PATH: run.json, badge.json, *.xml (JUnit), *.md or *.html; a "
        "directory gets all of them. May be repeated.",
    )


def driver(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add the driver argument, after `--`, to a command."""
    return click.argument(
        "driver", nargs=-1, type=click.UNPROCESSED, metavar="[-- DRIVER [ARGUMENT]...]"
    )(function)
