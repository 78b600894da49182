"""Reports of a run: one set of facts (`run.json`), and everything else made from it.

It knows which file name asks for which report. It refuses to know how a verdict was reached.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.catalogue import Outcome
from conformance.reading import Json, ReadingError
from conformance.reports.junit import junit
from conformance.reports.markdown import badge, markdown
from conformance.reports.page import page
from conformance.reports.record import record
from conformance.specification import Requirement

Writer = Callable[[Mapping[str, Json]], str]


def _as_json(run: Mapping[str, Json]) -> str:
    return json.dumps(run, ensure_ascii=False, separators=(",", ":")) + "\n"


_BY_NAME: Final[Mapping[str, Writer]] = {
    "badge.json": badge,
    ".json": _as_json,
    ".xml": junit,
    ".md": markdown,
    ".html": page,
}


def check_reports(paths: Sequence[Path]) -> None:
    """Raise ReadingError for a file name that asks for no report, or has no directory."""
    for path in paths:
        _writer(path)
        if not path.parent.is_dir():
            raise ReadingError(f"report {path}", f"there is no directory {path.parent}")


def write_reports(
    paths: Sequence[Path],
    outcome: Outcome,
    requirements: Mapping[str, Requirement],
    command: Sequence[str],
) -> None:
    """Write the reports that were asked for."""
    if not paths:
        return
    run = record(outcome, requirements, command)
    for path in paths:
        path.write_text(_writer(path)(run), "utf-8")


def _writer(path: Path) -> Writer:
    for ending, writer in _BY_NAME.items():
        if path.name.endswith(ending):
            return writer
    raise ReadingError(
        f"report {path}", "run.json, badge.json, or a name in .xml, .md, .html would be right"
    )
