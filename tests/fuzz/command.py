"""Fuzz targets with atheris, or replay what was kept without it."""

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NoReturn

from tests.fuzz.corpus import (
    HERE,
    TARGETS,
    Replayed,
    Target,
    files_of,
    inputs_of,
    replayed,
    target_of,
)

CLEAN: Final = 0
FOUND: Final = 1
WRONG: Final = 2
_LONGEST: Final = 7 * 24 * 3600
_LONGEST_LINE: Final = 500
_SEED: Final = 2**32 - 1
_EPILOG: Final = f"""targets: {", ".join(TARGETS)}
status: 0 nothing was found, 1 something was, 2 the command is wrong, 130 interrupted
"""


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong."""
        _refuse(message)


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"tests.fuzz: {message}\n")
    raise SystemExit(WRONG)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        right = text.isascii() and text.isdigit() and len(text) <= len(str(most))
        if not (right and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(
                f"{text[:40]!r} is not a whole number from {least} to {most}"
            )
        return int(text)

    return read


def _arguments() -> argparse.ArgumentParser:
    parser = _Arguments(
        prog="python -m tests.fuzz",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="what to fuzz, or all")
    seconds, seed = _whole(1, _LONGEST), _whole(1, _SEED)
    parser.add_argument("--seconds", type=seconds, default=600, help="for each target (600)")
    parser.add_argument("--seed", type=seed, default=1, help="of the random mutations (1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--home", type=Path, metavar="DIR", default=HERE, help="where corpus/ and findings/ are"
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--replay", type=Path, metavar="FILE", help="run TARGET on one input")
    how.add_argument("--replay-all", action="store_true", help="run the corpus of every target")
    return parser


def main(words: Sequence[str]) -> int:
    """Do what the command line asks for; return the status."""
    asked = _arguments().parse_args(words)
    every = "all" in asked.targets or not asked.targets
    names = list(TARGETS if every else dict.fromkeys(asked.targets))
    for name in names:
        if name not in TARGETS:
            _refuse(f"there is no target {name!r}; the targets are {', '.join(TARGETS)}")
    if asked.replay is not None:
        if len(asked.targets) != 1 or len(names) != 1:
            _refuse("--replay needs the one TARGET that the file is for")
        return _replay(target_of(names[0]), asked.replay)
    if asked.replay_all:
        return _replay_all(names, asked.home)
    if not asked.targets:
        _refuse(f"name a TARGET, or all; the targets are {', '.join(TARGETS)}")
    if find_spec("atheris") is None:
        _refuse("atheris is not installed; run: pip install -e '.[fuzz]'")
    if asked.json is not None:
        _write(asked.json, "")  # sooner refused than in an hour
    return _fuzz(names, asked)


def _replay(target: Target, path: Path) -> int:
    try:
        data = path.read_bytes()
    except OSError as error:
        _refuse(f"{path}: {error.strerror}")
    result = replayed(target, [(str(path), data)])
    for _, raised in result.found:
        traceback.print_exception(raised)
    _say(_line(target.name, result))
    return FOUND if result.found else CLEAN


def _replay_all(names: Sequence[str], home: Path) -> int:
    results: list[Replayed] = []
    for name in names:
        target = target_of(name)
        try:
            kept = len(files_of(name, home))
            results.append(replayed(target, inputs_of(target, home)))
        except OSError as error:
            _refuse(f"{error.filename}: {error.strerror}")
        _say(f"{_line(name, results[-1])}, {kept} of the inputs from the corpus")
        for where, raised in results[-1].found:
            _say(f"  {where}: {type(raised).__name__}: {raised}"[:_LONGEST_LINE])
    inputs, found = sum(each.inputs for each in results), sum(len(each.found) for each in results)
    seconds = sum(each.seconds for each in results)
    _say(
        f"fuzz: {len(names)} targets, {inputs} inputs replayed, {found} findings, {seconds:.1f} s of CPU"
    )
    return FOUND if found else CLEAN


def _line(name: str, result: Replayed) -> str:
    found = len(result.found)
    return (
        f"{name}: {result.inputs} inputs replayed, {found} findings, {result.seconds:.1f} s of CPU"
    )


def _fuzz(names: Sequence[str], asked: argparse.Namespace) -> int:
    from tests.fuzz.fuzzing import Fuzzed, FuzzerError, fuzz  # noqa: PLC0415 - not to replay

    results: list[Fuzzed] = []
    for name in names:
        try:
            result = fuzz(target_of(name), asked.seconds, asked.seed, asked.home)
        except FuzzerError as error:
            _refuse(str(error))
        except OSError as error:
            _refuse(f"{error.filename}: {error.strerror}")
        results.append(result)
        _say(str(result))
        for path in result.findings:
            _say(f"  {result.why}\n  again: python -m tests.fuzz {name} --replay {path}")
    if asked.json is not None:
        _write(asked.json, json.dumps([each.figures for each in results], indent=2) + "\n")
    total = sum(each.executions for each in results)
    found = sum(len(each.findings) for each in results)
    spent = sum(each.seconds for each in results)
    _say(f"fuzz: {len(results)} targets, {total} executions, {found} findings, {spent:.0f} s")
    return FOUND if found else CLEAN


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        _refuse(f"--json {path}: {error.strerror}")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what the command is for
