"""A run as a file: how `run.json` is written, and read again without trusting it.

Every key of the file is checked (`spec/schemas/run.schema.json`), so that a report made from it
need not.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from conformance.casefile.requirements import Level
from conformance.reports.record import SCHEMA
from conformance.strict_data import (
    Json,
    ReadingError,
    Table,
    parse_json,
    read_text,
)
from conformance.verdict.claim import Rank
from conformance.verdict.standing import Standing
from conformance.verdict.statuses import Verdict
from conformance.words import TIMES

_LEVELS: Final = tuple(level.value for level in Level)
_LISTS: Final = ("events", "results")
_RANKS: Final = tuple(rank.value for rank in Rank)
_STANDINGS: Final = tuple(standing.value for standing in Standing)
_VERDICTS: Final = tuple(verdict.value for verdict in Verdict)


def as_json(run: Mapping[str, Json]) -> str:
    """Return the text of `run.json`: one event or result a line, ASCII alone: nothing hides."""
    parts = [f"{_dumped(key)}: {_lines(key, value)}" for key, value in run.items()]
    body = ",\n".join(parts)
    return f"{{\n{body}\n}}\n"


def load(path: Path) -> Mapping[str, Json]:
    """Read a saved run; raises ReadingError that names the key, or says why there is no file."""
    if path.is_dir():
        raise ReadingError(path.name, "is a directory; give its run.json")
    text = read_text(path)
    try:
        value = parse_json(text.removeprefix("\ufeff"))
    except ValueError as error:
        raise ReadingError(path.name, f"is not JSON: {error}") from error
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
        raise ReadingError(top.where, f"the schema is {schema!r}, not {SCHEMA!r}")
    top.text("kit")
    top.number("seconds")
    top.flag("strict")
    _check_specification(top.table("specification"))
    _check_client(top.table("client"))
    time = top.table("time")
    time.one_of("mode", TIMES)
    time.text("said")
    time.finish()
    if top.raw("stack") is not None:
        stack = top.table("stack")
        for word in stack.values:
            stack.text(word)
    if top.raw("partial") is not None:
        _check_partial(top.table("partial"))
    for profile in top.tables("profiles"):
        _check_profile(profile)
    for group in top.tables("not_applicable"):
        group.text("name")
        group.text("why")
        group.count("cases")
        group.texts("musts")
        group.finish()
    rules = top.table("requirements")
    for name in rules.values:
        _check_rule(rules.table(name))
    events = top.tables("events")
    for event in events:
        _check_event(event)
    for result in top.tables("results"):
        _check_result(result, len(events))
    top.finish()


def _check_partial(partial: Table) -> None:
    partial.text("why")
    partial.text("said")
    partial.count("left")
    partial.count("of")
    partial.finish()


def _check_client(client: Table) -> None:
    for key in ("implementation", "version"):
        client.text(key)
    for key in ("profiles", "capabilities", "command"):
        client.texts(key)
    gaps = client.table("declared_gaps")
    for case in gaps.values:
        gaps.text(case)
    client.finish()


def _check_specification(specification: Table) -> None:
    for key in ("version", "cases", "said"):
        specification.text(key)
    specification.finish()


def _check_profile(profile: Table) -> None:
    for key in ("name", "verdict"):
        profile.text(key)
    profile.one_of("rank", _RANKS)
    for key in ("holds", "lacks", "remarks"):
        profile.texts(key)
    for key in ("unplayed", "unruled"):
        profile.count(key)
    for key in ("MUST", "SHOULD"):
        level = profile.table(key)
        level.texts("broken")
        for word in ("cases", "known", "hold", "not_judged"):
            level.count(word)
        level.finish()
    _check_counted(profile)
    rules = profile.table("rules")
    for rule in rules.values:
        rules.one_of(rule, _STANDINGS)
    profile.finish()


def _check_counted(profile: Table) -> None:
    apart, missed = profile.table("apart"), profile.table("not_reached")
    apart.texts("broken")
    for each in (apart, missed):
        each.count("cases")
    for counts in (profile.table("counts"), profile.table("sources"), missed.table("because")):
        for word in counts.values:
            counts.count(word)
    apart.finish()
    missed.finish()


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
    for key in ("requires", "lacking", "operations"):
        result.texts(key)
    result.flag("endless")
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
        finding.flag("not_reached")
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
            right = f"[number, milliseconds, place among the {events} events]"
            raise ReadingError(where, f"{_dumped(entry)}, not {right}")


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
