"""The command that compares our parser and our clients with every peer that is installed.

It installs nothing. Exit status: 0, 1 if a goal is missed with `--check`, 2 for bad input, 130
after Ctrl-C.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.peers.comparison import FULL, PARTS, QUICK, compare
from tests.benchmarks.peers.markdown import document
from tests.benchmarks.peers.page import page

MISSED = 1
UNUSABLE = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print the result and return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.page and options.page == options.json:
        parser.error("--page and --json name the same file; use two files")
    for file in filter(None, (options.page, options.json)):
        if problem := _unwritable(file):
            parser.error(problem)
    parts = [options.only] if options.only else PARTS
    extent = QUICK if options.quick else FULL
    try:
        found = compare(parts, extent, quick=options.quick, tell=_tell)
        _tell("")
        if options.page:
            options.page.write_text(page(found), encoding="utf-8")
        if options.json:
            options.json.write_text(json.dumps(found.as_json(), indent=1) + "\n", encoding="utf-8")
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return INTERRUPTED
    except OSError as error:
        sys.stderr.write(f"cannot write {error.filename}: {error.strerror}\n")
        return UNUSABLE
    return _printed(document(found)) or (MISSED if options.check and found.missed else 0)


def _printed(text: str) -> int:
    """Print a text and return the exit status; a closed pipe, as with `| head`, is not an error."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.stderr.write(f"cannot write the comparison: {error.strerror}\n")
        return UNUSABLE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.peers",
        description="Compare our parser and our clients with every peer that is installed.",
    )
    parser.add_argument("--only", choices=PARTS, help="measure only this part")
    parser.add_argument("--quick", action="store_true", help="only check that everything works")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    parser.add_argument("--page", type=Path, metavar="FILE.html", help="also write an HTML page")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures as JSON")
    return parser


def _unwritable(file: Path) -> str:
    """Return the reason why a file cannot be written, "" if it can; checked before measuring."""
    if file.is_dir():
        return f"{file} is a directory; give the name of a file"
    return "" if file.absolute().parent.is_dir() else f"{file.parent} is not a directory"


def _tell(what: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{what}")
        sys.stderr.flush()
