"""Write the reports of a run, all from the same data, which `run.json` holds in full.

The end of the file name selects the kind of report.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.reports.badge import badge
from conformance.reports.junit import junit
from conformance.reports.markdown import markdown
from conformance.reports.run_json.saved import as_json
from conformance.strict_data import Json, ReadingError, UsageError

Writer = Callable[[Mapping[str, Json]], str]


def _page(run: Mapping[str, Json]) -> str:
    from conformance.reports.page import page  # noqa: PLC0415 - only a page needs jinja2

    return page(run)


_ALL: Final[Mapping[str, Writer]] = {
    "run.json": as_json,
    "junit.xml": junit,
    "summary.md": markdown,
    "badge.json": badge,
    "report.html": _page,
}
"""The files that are written to a report directory."""
_BY_ENDING: Final[Mapping[str, Writer]] = {
    "badge.json": badge,
    ".json": as_json,
    ".xml": junit,
    ".md": markdown,
    ".html": _page,
}


def check_reports(paths: Sequence[Path]) -> None:
    """Raise ReadingError if a report cannot be written; to be called before the run.

    An existing directory or a path without a suffix gets all the reports; any other path is one
    report.
    """
    for path in paths:
        if not _is_directory(path):
            _writer(path)
            check_file(path, "report")
        elif path.is_dir():
            for name in _ALL:
                check_file(path / name, "report")
        else:
            _check_new_directory(path)


def check_file(path: Path, what: str) -> None:
    """Raise ReadingError if a file cannot be written; do not leave a new file behind."""
    try:
        exists = path.exists()
        if exists and not path.is_file():
            raise ReadingError(f"{what} {path}", "exists but is not a file")
        with path.open("ab" if exists else "xb"):
            pass
        if not exists:
            path.unlink()
    except FileNotFoundError as error:
        raise ReadingError(
            f"{what} {path}", f"the directory {path.parent} does not exist; create it first"
        ) from error
    except OSError as error:
        raise ReadingError(f"{what} {path}", f"cannot be written: {error.strerror}") from error


def _check_new_directory(path: Path) -> None:
    where = path.absolute()
    while not where.exists():
        where = where.parent
    if not where.is_dir():
        raise ReadingError(
            f"report {path}", f"{where} is a file; give a directory or a path inside one"
        )
    try:
        with tempfile.TemporaryFile(dir=where):
            pass
    except OSError as error:
        raise ReadingError(f"report {path}", f"cannot be written: {error.strerror}") from error


def write_run(paths: Sequence[Path], run: Mapping[str, Json]) -> None:
    """Write the reports of a run; the same run always gives the same bytes.

    If some cannot be written, write the others and then raise ReadingError for the first failure.
    """
    failed: list[ReadingError] = []
    for path in paths:
        try:
            _write(path, run)
        except OSError as error:
            problem = f"cannot be written: {error.strerror}"
            failed.append(ReadingError(f"report {path}", problem))
    if failed:
        raise failed[0]


def _write(path: Path, run: Mapping[str, Json]) -> None:
    if not _is_directory(path):
        _put(path, _writer(path)(run))
        return
    path.mkdir(parents=True, exist_ok=True)
    for name, writer in _ALL.items():
        _put(path / name, writer(run))


def write_file(path: Path, text: str, what: str) -> None:
    """Write a file that `check_file` accepted; raise ReadingError if it is no longer writable."""
    try:
        _put(path, text)
    except OSError as error:
        raise ReadingError(f"{what} {path}", f"cannot be written: {error.strerror}") from error


def _put(path: Path, text: str) -> None:
    path.write_text(text, "utf-8", errors="backslashreplace", newline="\n")


def _is_directory(path: Path) -> bool:
    return path.is_dir() or not path.suffix


def _writer(path: Path) -> Writer:
    for ending, writer in _BY_ENDING.items():
        if path.name.endswith(ending):
            return writer
    raise UsageError(
        f"report {path}",
        "unknown kind of report; use a name that ends in .json, badge.json, .xml, .md or .html, or a "
        "directory (the name of a new directory must not contain a dot)",
    )
