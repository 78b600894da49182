"""A run as a file: how `run.json` is written, and read again without trusting it.

It knows every key of the file (`spec/schemas/run.schema.json`). It refuses to know any report.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from conformance.case_words import TIMES
from conformance.reading import Json, ReadingError, Table, parse_json
from conformance.reports.record import SCHEMA
from conformance.specification import Level
from conformance.verdict_words import Verdict

_LEVELS: Final = tuple(level.value for level in Level)
_LISTS: Final = ("events", "results")
_VERDICTS: Final = tuple(verdict.value for verdict in Verdict)


def as_json(run: Mapping[str, Json]) -> str:
    """Return the text of `run.json`: one event or result a line, ASCII alone: nothing hides."""
    parts = [f"{_dumped(key)}: {_lines(key, value)}" for key, value in run.items()]
    body = ",\n".join(parts)
    return f"{{\n{body}\n}}\n"


def load(path: Path) -> Mapping[str, Json]:
    """Read a saved run; raises ReadingError that names the key, FileNotFoundError without one."""
    try:
        value = parse_json(path.read_bytes())
    except IsADirectoryError as error:
        raise ReadingError(path.name, "a directory, its run.json would be right") from error
    except ValueError as error:
        raise ReadingError(path.name, f"no JSON: {error}") from error
    top = Table.of(path.name, value)
    _check(top)
    return top.values


def _lines(key: str, value: Json) -> str:
    if key not in _LISTS:
        return _dumped(value)
    listed = ",\n".join(_dumped(each.values) for each in Table(key, {key: value}).tables(key))
    return f"[\n{listed}\n]"


def _dumped(value: Json) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def _check(top: Table) -> None:
    if (schema := top.text("schema")) != SCHEMA:
        raise ReadingError(top.where, f"the schema is {schema!r}, {SCHEMA!r} would be right")
    top.text("kit")
    top.number("seconds")
    _check_client(top.table("client"))
    time = top.table("time")
    time.one_of("mode", TIMES)
    time.text("said")
    time.finish()
    if top.raw("stack") is not None:
        stack = top.table("stack")
        for word in stack.values:
            stack.text(word)
    for profile in top.tables("profiles"):
        profile.text("name")
        profile.text("verdict")
        counts = profile.table("counts")
        for verdict in counts.values:
            counts.count(verdict)
        profile.finish()
    rules = top.table("requirements")
    for name in rules.values:
        _check_rule(rules.table(name))
    events = top.tables("events")
    for event in events:
        _check_event(event)
    for result in top.tables("results"):
        _check_result(result, len(events))
    top.finish()


def _check_client(client: Table) -> None:
    for key in ("implementation", "version"):
        client.text(key)
    for key in ("profiles", "capabilities", "command"):
        client.texts(key)
    gaps = client.table("declared_gaps")
    for case in gaps.values:
        gaps.text(case)
    client.finish()


def _check_rule(rule: Table) -> None:
    rule.one_of("level", _LEVELS)
    for key in ("source", "text", "why", "excluded"):
        rule.text(key)
    rule.texts("profiles")
    rule.finish()


def _check_result(result: Table, events: int) -> None:
    for key in ("case", "profile", "family", "why", "reason", "rerun"):
        result.text(key)
    result.one_of("level", _LEVELS)
    result.one_of("verdict", _VERDICTS)
    result.texts("requires")
    result.number("seconds")
    result.count("omitted")
    for each in result.tables("unjudged"):
        each.text("word")
        each.text("why")
        each.finish()
    for finding in result.tables("findings"):
        for key in ("assertion", "expected", "actual"):
            finding.text(key)
        finding.texts("requires")
        _count_or_null(finding, "event")
        finding.finish()
    for n, entry in enumerate(result.items("trace"), 1):
        _check_entry(f"{result.where}: trace[{n}]", entry, events)
    details = result.table("details")
    for number in details.values:
        details.text(number)
    result.finish()


def _check_entry(where: str, entry: Json, events: int) -> None:
    match entry:
        case [int(), int() | float(), int(place)] if 0 <= place < events:
            return
        case _:
            right = f"[number, milliseconds, place among the {events} events] would be right"
            raise ReadingError(where, f"{_dumped(entry)} stands here, {right}")


def _check_event(event: Table) -> None:
    for key in ("who", "kind", "text"):
        event.text(key)
    if event.raw("to") is not None:
        event.text("to")
    event.texts("names")
    event.finish()


def _count_or_null(table: Table, key: str) -> None:
    if table.raw(key) is not None:
        table.count(key)
