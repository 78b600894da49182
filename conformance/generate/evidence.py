"""Write the evidence page: the promises, the commands that test them, and the figures they print.

`spec/evidence.toml` declares the promises. `python -m conformance.generate.evidence NAME …` runs
the commands with these names in this checkout, reads the figures from their output, and stores them
in `spec/evidence.json` with the date and the machine; `all` runs every command. `--from FILE` reads
the output of an earlier run. Without a NAME, no command is run; only `spec/evidence.md` is
rewritten.

The exit status is 1 if a figure is missing from the output of a command, or if a command fails
although its figures meet every goal.
"""

import argparse
import json
import operator
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from conformance.strict_data import Json, ReadingError, Table, parse_json, read_toml

ROOT: Final = Path(__file__).parents[2]
DECLARED: Final = ROOT / "spec" / "evidence.toml"
MEASURED: Final = ROOT / "spec" / "evidence.json"
PAGE: Final = ROOT / "spec" / "evidence.md"

_COMPARED: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "=": operator.eq,
    "≤": operator.le,
    "≥": operator.ge,
}
_LONG: Final = 100.0
"""Durations of at least this many seconds are shown in minutes."""
_GOAL: Final = re.compile(r"(\w+) ([=≤≥]) ([\d.,]+|\w+)")
_INTRO: Final = """\
# Evidence

Written by `python -m conformance.generate.evidence` from the output of the commands below; do not
edit.

This page lists each promise that the project makes, with a command that tests it and the figure
that the command printed. To run a command yourself, first run `pip install -e '.[EXTRA]'` in the
root of a clean checkout, with the extra that the command needs. To measure every figure on this
page again, run `python -m conformance.generate.evidence all`.
"""

Figures = Mapping[str, str]


@frozen
class Goal:
    """A condition that compares a figure with a number or another figure of the same promise."""

    name: str
    sign: str
    limit: str

    @classmethod
    def read(cls, text: str, where: str) -> "Goal":
        """Read a goal, such as `seconds ≤ 20` or `caught = mutants`, or raise ReadingError."""
        found = _GOAL.fullmatch(text)
        if found is None:
            raise ReadingError(where, f"{text!r} is not a goal; write, for example, 'seconds ≤ 20'")
        return cls(*found.groups())

    def is_met(self, figures: Figures) -> bool:
        """Return whether the figures meet the goal; raise KeyError if a figure is missing."""
        limit = self.limit if self.limit[0].isdigit() else figures[self.limit]
        return _COMPARED[self.sign](_number(figures[self.name]), _number(limit))

    def __str__(self) -> str:
        return f"{self.name} {self.sign} {self.limit}"


@frozen
class Promise:
    """One claim of the project, and the pattern that finds its figures in a command's output."""

    name: str
    text: str
    read: re.Pattern[str]
    figure: str
    goals: tuple[Goal, ...]
    missed: str

    @classmethod
    def of(cls, table: Table) -> "Promise":
        """Read one promise, or raise ReadingError."""
        read = re.compile(table.text("read"), re.DOTALL | re.MULTILINE)
        promise = cls(
            table.text("name"),
            table.text("promise"),
            read,
            table.text("figure"),
            tuple(Goal.read(each, table.where) for each in table.texts("goals")),
            table.text("missed", ""),
        )
        used = {each.name for each in promise.goals} | set(re.findall(r"{(\w+)}", promise.figure))
        if unknown := used - set(read.groupindex):
            raise ReadingError(
                table.where, f"'read' has no group named {' or '.join(sorted(unknown))}"
            )
        return promise

    def open_goals(self, figures: Figures) -> list[Goal]:
        """Return the goals that these figures do not meet."""
        return [each for each in self.goals if not each.is_met(figures)]


@frozen
class Command:
    """One command: its command line, what must be installed for it, and what CI runs instead."""

    name: str
    section: str
    run: str
    needs: str
    short: str
    promises: tuple[Promise, ...]

    @classmethod
    def of(cls, table: Table) -> "Command":
        """Read one command with its promises, or raise ReadingError."""
        return cls(
            table.text("name"),
            table.text("section"),
            table.text("run"),
            table.text("needs"),
            table.text("short"),
            tuple(map(Promise.of, table.tables("promise"))),
        )


@frozen
class Measurement:
    """The figures that a command printed for each promise, with the date and the machine."""

    run: str
    date: str
    machine: str
    seconds: float
    figures: Mapping[str, Figures]

    @classmethod
    def of(cls, table: Table) -> "Measurement":
        """Read one measurement, or raise ReadingError."""
        figures = table.table("figures")
        return cls(
            table.text("run"),
            table.text("date"),
            table.text("machine"),
            table.number("seconds"),
            {name: _texts(figures.table(name)) for name in figures.values},
        )


def declared(path: Path = DECLARED) -> Sequence[Command]:
    """Read the commands and their promises, or raise ReadingError."""
    text = path.read_text(encoding="utf-8")
    return read_toml(path.name, text, lambda file: _commands(Table(path.name, file)))


def measured(path: Path = MEASURED) -> dict[str, Measurement]:
    """Return the measurements by the names of their commands, or raise ReadingError."""
    file = Table.of(path.name, parse_json(path.read_bytes()))
    return {name: Measurement.of(file.table(name)) for name in file.values}


def measure(command: Command, printed: str, seconds: float, machine: str) -> Measurement:
    """Read the figures from the output of a command; raise ReadingError if a figure is missing."""
    figures: dict[str, Figures] = {}
    for promise in command.promises:
        found = promise.read.search(printed)
        if found is None:
            problem = f"nothing in the command's output matches {promise.read.pattern!r}"
            raise ReadingError(f"{command.name}: {promise.name}", problem)
        figures[promise.name] = found.groupdict("")
    date = datetime.now(UTC).date().isoformat()
    return Measurement(command.run, date, machine, round(seconds, 1), figures)


def check_status(command: Command, found: Measurement, status: int) -> None:
    """Raise ReadingError if a command failed and no missed goal explains it."""
    missed = any(each.open_goals(found.figures[each.name]) for each in command.promises)
    if status != 0 and not (status == 1 and missed):
        raise ReadingError(command.name, f"ended with status {status}")


def page(commands: Sequence[Command], found: Mapping[str, Measurement]) -> str:
    """Return `spec/evidence.md`."""
    parts = [_INTRO, _missed(commands, found)]
    section = ""
    for command in commands:
        if command.section != section:
            section = command.section
            parts.append(f"## {section}\n")
        parts.append(_block(command, found.get(command.name)))
    return "\n".join(parts)


def _missed(commands: Sequence[Command], found: Mapping[str, Measurement]) -> str:
    lines = ["## Missed goals\n"]
    for command in commands:
        if command.name not in found:
            continue
        for promise in command.promises:
            figures = found[command.name].figures[promise.name]
            lines += [
                f"- {promise.text} Measured: {promise.figure.format_map(figures)}; "
                f"the goal is `{each}`. {promise.missed}"
                for each in promise.open_goals(figures)
            ]
    return "\n".join(lines if len(lines) > 1 else [*lines, "None."]) + "\n"


def _block(command: Command, found: Measurement | None) -> str:
    lines = [f"### `{command.run}`\n"]
    if found is None:
        lines += [f"Needs {command.needs}. Not measured yet.\n"]
        lines += [f"- {promise.text}" for promise in command.promises]
        return "\n".join(lines) + "\n"
    lines += [
        (
            f"{found.date}, {_duration(found.seconds)}, on {found.machine}. "
            f"Needs {command.needs}. In CI: {command.short}.\n"
        ),
        "| promise | figure | goal |",
        "|---|---|---|",
    ]
    for promise in command.promises:
        figures = found.figures[promise.name]
        missed = promise.open_goals(figures)
        goals = ", ".join(
            f"{each} (**missed**)" if each in missed else f"{each}" for each in promise.goals
        )
        lines.append(f"| {promise.text} | {promise.figure.format_map(figures)} | {goals} |")
    return "\n".join(lines) + "\n"


def _commands(file: Table) -> Sequence[Command]:
    commands = [Command.of(each) for each in file.tables("command")]
    for names in (
        [each.name for each in commands],
        *([promise.name for promise in each.promises] for each in commands),
    ):
        if len(set(names)) != len(names):
            raise ReadingError(file.where, f"a name occurs twice in this list: {', '.join(names)}")
    return commands


def _texts(table: Table) -> Figures:
    return {key: table.text(key) for key in table.values}


def _number(text: str) -> float:
    return float(text.replace(",", "").replace("\N{THIN SPACE}", ""))


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _LONG else f"{seconds / 60:.0f} min"


def _machine() -> str:
    """Describe this machine: the number of cores, the operating system and the Python version."""
    system = f"{platform.system()} ({platform.machine()}), Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {system}"


def _load() -> str:
    """Return the average load of the last minute as text, or an empty string if it is unknown."""
    return f", at load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def _run(command: Command) -> tuple[subprocess.CompletedProcess[str], float]:
    """Run a command; return how it ended, with its output, and how many seconds it took."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    env = {**os.environ, "PATH": path, "COLUMNS": "120", "NO_COLOR": "1"}
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603 - a command of our own file
        shlex.split(command.run),
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done, time.monotonic() - began


def _as_json(found: Mapping[str, Measurement]) -> Json:
    return {
        name: {
            "run": each.run,
            "date": each.date,
            "machine": each.machine,
            "seconds": each.seconds,
            "figures": {promise: dict(figures) for promise, figures in each.figures.items()},
        }
        for name, each in sorted(found.items())
    }


@define(kw_only=True)
class _Options(argparse.Namespace):
    name: list[str] = field(factory=list[str])
    printed: Path | None = None
    seconds: float | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the commands named in the arguments, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m conformance.generate.evidence")
    parser.add_argument(
        "name", nargs="*", help="the name of a command in spec/evidence.toml, or all"
    )
    instead = "read the command's output from this file instead of running the command"
    parser.add_argument("--from", dest="printed", type=Path, help=instead)
    parser.add_argument(
        "--seconds", type=float, help="with --from: how many seconds the command took"
    )
    options = parser.parse_args(arguments, _Options())
    commands = {each.name: each for each in declared()}
    names = list(commands) if options.name == ["all"] else options.name
    if unknown := [each for each in names if each not in commands]:
        parser.error(f"no command {unknown[0]!r}; use one of {', '.join(commands)}")
    if options.printed is not None and (options.seconds is None or len(names) != 1):
        parser.error("--from needs --seconds and exactly one name")
    found = {name: each for name, each in _known().items() if name in commands}
    failed = False
    for name in names:
        sys.stderr.write(f"{name}: {commands[name].run}\n")
        try:
            found[name] = _taken(commands[name], options.printed, options.seconds or 0.0)
        except ReadingError as error:
            sys.stderr.write(f"{error}\n")
            failed = True
            continue
        text = json.dumps(_as_json(found), indent=1, ensure_ascii=False, sort_keys=True)
        MEASURED.write_text(text + "\n", encoding="utf-8")
    PAGE.write_text(page(list(commands.values()), found), encoding="utf-8")
    return 1 if failed else 0


def _known() -> dict[str, Measurement]:
    return measured() if MEASURED.exists() else {}


def _taken(command: Command, printed: Path | None, seconds: float) -> Measurement:
    """Run a command or read its output from a file; return the figures, or raise ReadingError."""
    if printed is not None:
        return measure(command, printed.read_text(encoding="utf-8"), seconds, _machine())
    machine = _machine() + _load()  # before the command adds load
    done, seconds = _run(command)
    try:
        found = measure(command, done.stdout, seconds, machine)
        check_status(command, found, done.returncode)
    except ReadingError:
        sys.stderr.write(done.stdout[-4000:])
        raise
    return found


if __name__ == "__main__":
    sys.exit(main())
