"""A run as a file: how `run.json` is written, and read again without trusting it.

Every key of the file is checked (`spec/schemas/run.schema.json`), so that a report made from it
need not.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeGuard

from conformance.reports.run_json.record import SCHEMA
from conformance.reports.run_json.words import RUN
from conformance.strict_data import Json, ReadingError, Table, read_text, within
from mock_server.strict.files import from_json
from mock_server.strict.shapes import ScenarioError

_LISTS: Final = ("causes", "events", "results")


def as_json(run: Mapping[str, Json]) -> str:
    """Return the text of `run.json`: one event or result a line, ASCII alone: nothing hides."""
    parts = [f"{_dumped(key)}: {_lines(key, value)}" for key, value in run.items()]
    body = ",\n".join(parts)
    return f"{{\n{body}\n}}\n"


def load(path: Path) -> Mapping[str, Json]:
    """Read a saved run; raises ReadingError with every mistake, or why there is no file."""
    if path.is_dir():
        raise ReadingError(path.name, "is a directory; give its run.json")
    text = read_text(path)
    with within(path.name):
        return from_json(text, _checked)


def _checked(value: Mapping[str, object]) -> Mapping[str, Json]:
    if (schema := value.get("schema")) != SCHEMA:
        raise ScenarioError(f"the schema is {schema!r}, not {SCHEMA!r}", at="schema")
    if not _is_run(value):
        raise TypeError(value)
    return value


def _is_run(value: Mapping[str, object]) -> TypeGuard[Mapping[str, Json]]:
    """Tell that everything in a run is JSON: reading it raises ScenarioError for anything else."""
    RUN.read(value, "")
    return True


def _lines(key: str, value: Json) -> str:
    if key not in _LISTS:
        return _dumped(value)
    listed = ",\n".join(_dumped(each.values) for each in Table(key, {key: value}).tables(key))
    return f"[\n{listed}\n]"


def _dumped(value: Json) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
