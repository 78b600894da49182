"""The options that several commands of the kit share, each with one name and one meaning."""

from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import click

from conformance.casefile.requirements import PROFILE_NAMES

_P = ParamSpec("_P")
_File = click.Path(path_type=Path)


def profiles(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--profile`, which may be repeated."""
    return click.option(
        "--profile",
        "profiles",
        multiple=True,
        type=click.Choice(PROFILE_NAMES),
        show_default="all",
        help="Only this profile; may be repeated.",
    )(function)


def profile(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--profile`, at most one."""
    return click.option(
        "--profile", type=click.Choice(PROFILE_NAMES), show_default="all", help="Only this profile."
    )(function)


def case_ids(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--case`."""
    text = "Only this case, or the cases of this template; may be repeated."
    return click.option(
        "--case", "ids", multiple=True, metavar="CASE", show_default="all", help=text
    )(function)


def patterns(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--filter`."""
    text = "Only cases whose id matches, such as 'budget.*'; may be repeated."
    return click.option(
        "--filter", "patterns", multiple=True, metavar="PATTERN", show_default="all", help=text
    )(function)


def lanes(what: str) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return what adds `-j`, the number of `what` at once."""
    return click.option(
        "-j",
        "--lanes",
        default=2,
        metavar="N",
        type=click.IntRange(1, 64),
        help=f"How many {what} to run at once.",
    )


def patience(seconds: float) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return what adds `--patience`, `seconds` unless given."""
    return click.option(
        "--patience",
        default=seconds,
        metavar="SECONDS",
        type=click.FloatRange(0.05, 3600),
        help="After so much silence nothing more is expected of a driver.",
    )


def seed(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add `--seed`."""
    text = "The same seed makes the same choices."
    return click.option("--seed", default=0, type=int, metavar="N", help=text)(function)


def schedules(count: int) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return what adds `--schedules`, `count` unless given."""
    return click.option(
        "--schedules",
        default=count,
        metavar="N",
        type=click.IntRange(1),
        help="How many schedules to play.",
    )


def out(name: str, content: str) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return what adds `-o`, the file to write; `name` unless given."""
    return click.option(
        "-o", "--out", default=name, metavar="FILE", type=_File, help=f"Where to write {content}."
    )


def reports(*, required: bool) -> Callable[[Callable[_P, int]], Callable[_P, int]]:
    """Return what adds `--report`, which may be repeated."""
    return click.option(
        "--report",
        "reports",
        multiple=True,
        required=required,
        metavar="PATH",
        type=_File,
        show_default=False if required else "none",
        help="Write a report: run.json, badge.json, *.xml (JUnit), *.md or *.html, or a directory "
        "for all of them; may be repeated.",
    )


def driver(function: Callable[_P, int]) -> Callable[_P, int]:
    """Add the operand for a driver, after `--`."""
    return click.argument(
        "driver", nargs=-1, type=click.UNPROCESSED, metavar="[-- DRIVER [ARGUMENT]...]"
    )(function)
