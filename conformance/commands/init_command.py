"""`arkor-conformance init`: create a driver in a new directory."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
from attrs import frozen

from conformance.commands.driver_guide import guide
from conformance.plain import say
from conformance.strict_data import ReadingError, UsageError
from conformance.verdict.statuses import Exit

_PACKAGE: Final = Path(__file__).parent.parent
_STARTERS: Final = _PACKAGE / "starters"
_WORKFLOW: Final = ".github/workflows/conformance.yml"
_SETUP_NODE: Final = """\
      - uses: actions/setup-node@v4
        with:
          node-version: "20"
"""
_PLUMBING: Final = "| `drive.mjs` | talks to the kit; do not change it |\n"


@frozen
class _Starter:
    """The starter files for a language; `own` maps the name of each copied file to its original."""

    program: str
    driver: str
    client: str
    needs: str
    own: Mapping[str, Path]
    setup: str = ""
    plumbing: str = ""

    def files(self) -> Mapping[str, str]:
        """Map the path of each new file to its text."""
        words = {
            "DRIVER_FILE": self.driver,
            "DRIVER": f"{self.program} {self.driver}",
            "CLIENT": self.client,
            "NEEDS": self.needs,
            "SETUP_NODE": self.setup,
            "PLUMBING": self.plumbing,
        }
        return {
            **{name: source.read_text("utf-8") for name, source in self.own.items()},
            "README.md": _filled("README.md", words),
            "known-failures.toml": _filled("known-failures.toml", {}),
            _WORKFLOW: _filled("conformance.yml", words),
        }


_LANGUAGES: Final = {
    "python": _Starter(
        "python",
        "driver.py",
        "client.py",
        "the Python that runs the driver",
        {name: _STARTERS / "python" / name for name in ("client.py", "driver.py")},
    ),
    "node": _Starter(
        "node",
        "driver.mjs",
        "client.mjs",
        "any Python from 3.11",
        {
            **{name: _STARTERS / "node" / name for name in ("client.mjs", "driver.mjs")},
            "drive.mjs": _PACKAGE / "drivers" / "node" / "drive.mjs",
        },
        _SETUP_NODE,
        _PLUMBING,
    ),
}


@click.command()
@click.argument("language", type=click.Choice(tuple(_LANGUAGES)))
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def command(*, language: str, directory: Path) -> int:
    """Create a python or node driver in DIR, with a stand-in for the client.

    The new driver passes `arkor-conformance smoke` as it is. A GitHub workflow that runs the kit
    and keeps the reports is included. Existing files are never overwritten.

    \b
    example:
      arkor-conformance init python my-driver
    """  # noqa: D301 - \b is click's mark for lines to keep
    starter = _LANGUAGES[language]
    files = starter.files()
    _check(directory, files)
    for name, text in files.items():
        _put(directory, name, text)
    say(f"Written to {directory}: {', '.join(files)}")
    say(f"Replace the stand-in {starter.client} with your client, and complete the parts of")
    say(f"{starter.driver} that are marked YOURS. Then run:\n")
    driver = f"{_program(starter.program)} {starter.driver}"
    say(f"  cd {shlex.quote(str(directory))}")
    say(f"  arkor-conformance smoke -- {driver}")
    say(f"  arkor-conformance run --filter 'create.accepted*' -- {driver}")
    say(f"  arkor-conformance run --report report.html -- {driver}\n")
    say(f"To learn what each part must do, read the driver guide: {guide().resolve()}")
    return Exit.OK


def _check(directory: Path, files: Mapping[str, str]) -> None:
    """Raise UsageError if a file would be overwritten or DIR cannot be used."""
    places = {name: directory / name for name in files}
    parents = {parent for place in places.values() for parent in place.parents}
    try:
        wrong = sorted(each for each in parents if each.exists() and not each.is_dir())
        there = [name for name, place in places.items() if place.exists() or place.is_symlink()]
    except OSError as error:
        raise UsageError("DIR", f"{directory} cannot be used: {error.strerror}") from error
    if wrong:
        raise UsageError("DIR", f"{wrong[0]} is not a directory; choose another DIR")
    if there:
        what = ", ".join(there)
        raise UsageError(
            "DIR", f"{directory} already contains {what}; choose another DIR, or move the files"
        )


def _put(directory: Path, name: str, text: str) -> None:
    path = directory / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise ReadingError(f"init {path}", f"cannot be written: {error.strerror}") from error


def _filled(name: str, words: Mapping[str, str]) -> str:
    text = (_STARTERS / name).read_text("utf-8")
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _program(name: str) -> str:
    """Return the program that runs the driver; a Python driver runs with the kit's own Python."""
    if name != "python":
        return name
    found = shutil.which(name)
    ours = found is not None and Path(found).absolute().parent == Path(sys.executable).parent
    return name if ours else shlex.quote(sys.executable)
