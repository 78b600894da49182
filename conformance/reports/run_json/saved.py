"""Write a run to `run.json`, and read such a file without trusting it.

Reading checks every key against the rules that `spec/schemas/run.schema.json` describes, so the
report code does not have to.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeGuard

from attrs import frozen

from conformance.reports.run_json.words import RUN, SCHEMA, Run
from conformance.strict_data import Json, ReadingError, Table, read_text, within
from mock_server.strict.files import from_json
from mock_server.strict.shapes import ScenarioError, shown

_LISTS: Final = ("causes", "events", "results")
_MOST: Final = 1 << 28
"""The size limit of a file, in bytes; parsing takes about ten times as much memory."""


def as_json(run: Mapping[str, Json]) -> str:
    """Return the text of `run.json`: one event or result per line, all in ASCII."""
    parts = [f"{_dumped(key)}: {_lines(key, value)}" for key, value in run.items()]
    body = ",\n".join(parts)
    return f"{{\n{body}\n}}\n"


@frozen
class Saved:
    """A saved run: the path of its file, its content as plain JSON, and its content as a `Run`."""

    where: str
    data: Mapping[str, Json]
    run: Run


def load(path: Path) -> Mapping[str, Json]:
    """Read a saved run as plain data; raise ReadingError as `read_saved` does."""
    return read_saved(path).data


def read_saved(path: Path) -> Saved:
    """Read a saved run; raise a ReadingError that lists all mistakes in the file."""
    if path.is_dir():
        raise ReadingError(str(path), "is a directory; give its run.json")
    text = read_text(path, _MOST)
    with within(str(path)):
        return from_json(text, lambda value: _checked(str(path), value))


def _checked(where: str, value: Mapping[str, object]) -> Saved:
    if (schema := value.get("schema")) != SCHEMA:
        raise ScenarioError(f"the schema is {shown(schema, 'schema')}, not {SCHEMA!r}", at="schema")
    run = RUN.read(value, "")
    if not _is_plain(value):
        raise TypeError(value)
    return Saved(where, value, run)


def _is_plain(value: Mapping[str, object]) -> TypeGuard[Mapping[str, Json]]:
    """Narrow the type of a run that has been read successfully and is therefore plain JSON."""
    return SCHEMA in value.values()


def _lines(key: str, value: Json) -> str:
    if key not in _LISTS:
        return _dumped(value)
    listed = ",\n".join(_dumped(each.values) for each in Table(key, {key: value}).tables(key))
    return f"[\n{listed}\n]"


def _dumped(value: Json) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
