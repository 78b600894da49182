"""A run as a file: how `run.json` is written, and read again without trusting it.

Every key of the file is checked (`spec/schemas/run.schema.json`), so that a report made from it
need not.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from conformance.reports.run_json.record import SCHEMA
from conformance.reports.run_json.words import RUN
from conformance.strict_data import (
    Json,
    ReadingError,
    Table,
    kind_of,
    located,
    parse_json,
    read_text,
)
from mock_server.strict.lines import json_lines

_LISTS: Final = ("events", "results")


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
    try:
        value = parse_json(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise ReadingError(path.name, f"is not JSON: {error}") from error
    if not isinstance(value, Mapping):
        raise ReadingError(path.name, f"{kind_of(value)}, not a table")
    if (schema := value.get("schema")) != SCHEMA:
        raise ReadingError(path.name, f"the schema is {schema!r}, not {SCHEMA!r}")
    with located(path.name, text, json_lines):
        RUN.read(value, "")
    return value


def _lines(key: str, value: Json) -> str:
    if key not in _LISTS:
        return _dumped(value)
    listed = ",\n".join(_dumped(each.values) for each in Table(key, {key: value}).tables(key))
    return f"[\n{listed}\n]"


def _dumped(value: Json) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
