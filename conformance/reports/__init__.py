"""Reports of a run: one set of facts (`run.json`), and everything else made from it.

It knows which name asks for which report. It refuses to know how a verdict was reached.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.catalogue import Outcome
from conformance.reading import Json, ReadingError
from conformance.reports.junit import junit
from conformance.reports.markdown import badge, markdown
from conformance.reports.record import record
from conformance.reports.saved import as_json
from conformance.specification import Requirement

Writer = Callable[[Mapping[str, Json]], str]


def _page(run: Mapping[str, Json]) -> str:
    from conformance.reports.page import page  # noqa: PLC0415 - who wants no page loads no jinja2

    return page(run)


_ALL: Final[Mapping[str, Writer]] = {
    "run.json": as_json,
    "junit.xml": junit,
    "summary.md": markdown,
    "badge.json": badge,
    "report.html": _page,
}
"""The files of a directory of reports."""
_BY_ENDING: Final[Mapping[str, Writer]] = {
    "badge.json": badge,
    ".json": as_json,
    ".xml": junit,
    ".md": markdown,
    ".html": _page,
}


def check_reports(paths: Sequence[Path]) -> None:
    """Raise ReadingError for what can hold no report, before anything is run.

    A path with a suffix is one file, by its name; any other is a directory for all of them.
    """
    for path in paths:
        if _is_directory(path):
            if path.exists() and not path.is_dir():
                raise ReadingError(f"report {path}", "a file stands there, not a directory")
            continue
        _writer(path)
        if not path.parent.is_dir():
            raise ReadingError(f"report {path}", f"there is no directory {path.parent}")


def write_reports(
    paths: Sequence[Path],
    outcome: Outcome,
    requirements: Mapping[str, Requirement],
    command: Sequence[str],
) -> None:
    """Write the reports that were asked for; raises ReadingError for what cannot be written."""
    if paths:
        write_run(paths, record(outcome, requirements, command))


def write_run(paths: Sequence[Path], run: Mapping[str, Json]) -> None:
    """Write the reports of a run that is plain data; the same run gives the same bytes."""
    for path in paths:
        try:
            _write(path, run)
        except OSError as error:
            raise ReadingError(f"report {path}", f"cannot be written: {error.strerror}") from error


def _write(path: Path, run: Mapping[str, Json]) -> None:
    if not _is_directory(path):
        path.write_text(_writer(path)(run), "utf-8", newline="\n")
        return
    path.mkdir(parents=True, exist_ok=True)
    for name, writer in _ALL.items():
        (path / name).write_text(writer(run), "utf-8", newline="\n")


def _is_directory(path: Path) -> bool:
    return path.is_dir() or not path.suffix


def _writer(path: Path) -> Writer:
    for ending, writer in _BY_ENDING.items():
        if path.name.endswith(ending):
            return writer
    raise ReadingError(
        f"report {path}",
        "run.json, badge.json, a name in .xml, .md or .html, or a directory (a new one without a "
        "dot in its name) would be right",
    )
