"""Scenarios as TOML, JSON and plain tables, and back; strict, with the nearest right word.

It knows the file formats, the combinations that make no sense and what a carrier can carry. It
refuses to know what a fault does.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mock_server.model import JobPlan, Rule, Scenario
from mock_server.routing import DEEPEST
from mock_server.shapes import ScenarioError, is_array, is_table
from mock_server.vocabulary import Capability, Ending, Framing, ScriptedFrame, Select
from mock_server.words import plain, table, words_of

_SCENARIO: Final = table(Scenario, "a scenario")
_NUMBERED: Final = re.compile(r"^(rule|job) (\d+)\.")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAME_WORDS: Final = {
    "drop",
    "duplicate",
    "reorder",
    "corrupt",
    "replace",
    "inject",
    "strip_id",
    "line_ending",
    "slice",
    "stall",
    "delay_ms",
    "jitter_ms",
}
_CONNECTION_WORDS: Final = {"accept", "tls"}
_MODIFIERS: Final = {"on", "name", "after", "jitter_ms", "listener_ms", "reason"}
_HEAD_WORDS: Final = {
    "status",
    "reason",
    "headers",
    "body",
    "body_hex",
    "json",
    "retry_after",
    "content_type",
    "redirect",
    "content_length",
    "raw_head",
    "raw_head_hex",
}
_ENDS_FOR_ALL: Final = {Ending.EOF}


def scenario_from_dict(data: Mapping[str, object]) -> Scenario:
    """Read a scenario from plain tables; raises ScenarioError that names the place."""
    try:
        _check_depth(data)
        found = _SCENARIO.read(data, "")
        _check(found)
    except ScenarioError as error:
        raise ScenarioError(_NUMBERED.sub(r"\1 \2: ", str(error)).removeprefix(": ")) from None
    return found


def scenario_from_toml(source: str) -> Scenario:
    """Read a scenario from TOML; raises ScenarioError that names the line or the place."""
    return scenario_from_dict(_from_toml(source))


def scenario_from_json(source: str) -> Scenario:
    """Read a scenario from JSON; raises ScenarioError that names the line or the place."""
    return scenario_from_dict(_from_json(source))


def scenario_from_file(path: Path) -> Scenario:
    """Read a `.toml` or `.json` file; raises ScenarioError that begins with the file's name."""
    try:
        return scenario_from_dict(_from_file(path))
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from None


def names_its_schema(path: Path) -> bool:
    """Tell whether a file says which version of the vocabulary it is written in."""
    return "schema" in _from_file(path)


def _check_depth(data: object) -> None:
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ScenarioError(f"nested more than {DEEPEST} levels deep; a scenario is flat")
        tables = [item for each in level if is_table(each) for item in each.values()]
        level = tables + [item for each in level if is_array(each) for item in each]


def _from_toml(source: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"TOML: {error}") from None
    except RecursionError:
        raise ScenarioError("TOML: nested too deeply; a scenario is flat") from None
    except ValueError:  # Python reads no number of more than 4,300 digits, and no 30 February
        raise ScenarioError("TOML: a number or a date is out of range") from None


def _from_json(source: str) -> Mapping[str, object]:
    try:
        data: object = json.loads(source)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ScenarioError(f"JSON: {error}") from None
    except ValueError:
        raise ScenarioError("JSON: a number has too many digits") from None
    if not is_table(data):
        raise ScenarioError('JSON: a scenario is an object, such as {"rule": []}')
    return data


def _from_file(path: Path) -> Mapping[str, object]:
    readers = {".toml": _from_toml, ".json": _from_json}
    if path.is_dir():
        raise ScenarioError("is a directory; a scenario is a .toml or .json file")
    if path.suffix not in readers:
        given = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise ScenarioError(f"has {given}; a scenario is a .toml or .json file")
    try:
        return readers[path.suffix](path.read_bytes().decode())
    except OSError as error:
        raise ScenarioError(error.strerror or str(error)) from None
    except UnicodeDecodeError as error:
        raise ScenarioError(
            f"byte {error.start} is not UTF-8; write such bytes as bytes_hex"
        ) from None


def scenario_to_dict(scenario: Scenario) -> dict[str, object]:
    """Write a scenario as plain tables that `scenario_from_dict` reads back, defaults left out."""
    found = plain(scenario)
    if not is_table(found):
        raise ScenarioError("scenario: not a table")
    return {"schema": scenario.schema, **found}


def scenario_to_toml(scenario: Scenario) -> str:
    """Write a scenario as TOML that `scenario_from_toml` reads back."""
    data = scenario_to_dict(scenario)
    heads = [f"{key} = {_toml(value)}" for key, value in data.items() if key not in {"rule", "job"}]
    blocks = ["\n".join(heads)]
    for key in ("job", "rule"):
        items = data.get(key, [])
        for item in items if is_array(items) else []:
            lines = [f"{name} = {_toml(value)}" for name, value in _pairs(item)]
            blocks.append("\n".join([f"[[{key}]]", *lines]))
    return "\n\n".join(blocks) + "\n"


def _pairs(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if is_table(value) else []


def _toml(value: object) -> str:
    if is_table(value):
        inside = ", ".join(f"{_toml_key(key)} = {_toml(item)}" for key, item in value.items())
        return f"{{{inside}}}"
    if is_array(value):
        items = [_toml(item) for item in value]
        if len(items) > 1 and any(is_table(item) for item in value):
            return "[\n" + "".join(f"  {item},\n" for item in items) + "]"
        return "[" + ", ".join(items) + "]"
    if value is None:
        raise ScenarioError("TOML has no null; write the frame's data as a string instead")
    # A JSON string is a TOML basic string but for DEL, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def scenario_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of a scenario."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of the Arkor mock backend",
        **_SCENARIO.schema(),
    }


def check_capabilities(
    scenario: Scenario, capabilities: frozenset[Capability], carrier: str
) -> None:
    """Refuse a scenario that this carrier cannot carry; raises ScenarioError naming the rule."""
    for number, rule in enumerate(scenario.rules, 1):
        for what, needed in needs_of(rule):
            if needed not in capabilities:
                raise ScenarioError(
                    f"rule {number}: {what!r} needs the {needed} capability; "
                    f"the {carrier} carrier lacks it"
                )


def needs_of(rule: Rule) -> list[tuple[str, Capability]]:
    """List what a rule says together with the capability which that needs."""
    found = [
        (name, Capability(words[name][1].needs))
        for value, words in ((rule, words_of(Rule)), (rule.on, words_of(Select)))
        for name in said(value)
        if words[name][1].needs
    ]
    if rule.end is not None and rule.end not in _ENDS_FOR_ALL:
        found.append((f"end = {rule.end.value}", Capability.RAW))
    return found


def said(value: Rule | Select | ScriptedFrame | JobPlan) -> set[str]:
    """Return the words that were said, that is those which differ from their defaults."""
    found = plain(value)
    return set(found) if is_table(found) else set()


def _check(scenario: Scenario) -> None:
    for number, rule in enumerate(scenario.rules, 1):
        check_rule(rule, f"rule {number}")
        pauses = [rule.delay + rule.jitter, rule.stall.seconds if rule.stall else 0.0]
        if max(pauses) > scenario.limits.stall_time:
            raise ScenarioError(
                f"rule {number}: pauses for {max(pauses):g} s; limits.stall_ms allows "
                f"{scenario.limits.stall_time:g} s"
            )
    ids = [job.id for job in scenario.jobs if job.id is not None]
    for name in ids:
        if ids.count(name) > 1:
            raise ScenarioError(f"job: the id {name!r} is given twice; ids are unique")
    for number, job in enumerate(scenario.jobs, 1):
        if job.submitted and job.id is None:
            raise ScenarioError(f"job {number}: a submitted job needs an id to be found by")
        if job.emitted and job.interval:
            raise ScenarioError(
                f"job {number}: interval_ms paces events to come, but these are emitted; keep one"
            )


def check_rule(rule: Rule, where: str) -> None:
    """Refuse combinations that make no sense; raises ScenarioError that begins with `where`."""
    words = said(rule)
    _check_unit(rule, words, where)
    _check_head(rule, words, where)
    _check_end(rule, words, where)
    if not words - _MODIFIERS:
        raise ScenarioError(f"{where}: does nothing; give it a fault, such as end = 'rst'")


def _check_unit(rule: Rule, words: set[str], where: str) -> None:
    acts = words - {"on", "name"}
    on_connection = bool(acts & _CONNECTION_WORDS) or rule.on.connection is not None
    if on_connection:
        stray = sorted(acts - _CONNECTION_WORDS) + sorted(
            said(rule.on) - {"connection", "probability", "times"}
        )
        if stray:
            raise ScenarioError(
                f"{where}: {stray[0]!r} cannot go with a rule about connections; "
                "their words are on.connection, accept and tls"
            )
        if not acts:
            raise ScenarioError(f"{where}: a rule about connections needs accept or tls")
    if rule.on.picks_frames:
        stray = sorted(acts - _FRAME_WORDS)
        if stray:
            raise ScenarioError(
                f"{where}: {stray[0]!r} is about a whole exchange, but `on` picks frames; "
                "use two rules"
            )


def _check_head(rule: Rule, words: set[str], where: str) -> None:
    for group in (
        {"body", "body_hex", "json", "frames"},
        {"raw_head", "raw_head_hex"},
        {"extra", "extra_hex"},
        {"lose", "frames"},
    ):
        both = sorted(words & group)
        if len(both) > 1:
            raise ScenarioError(f"{where}: {' and '.join(both)} exclude each other; keep one")
    heads = sorted(words & (_HEAD_WORDS - {"body", "body_hex", "json", "raw_head", "raw_head_hex"}))
    if heads and words & {"raw_head", "raw_head_hex"}:
        raise ScenarioError(
            f"{where}: a raw head is sent as it stands, so {heads[0]} has no place beside it"
        )
    lost = sorted(words & (_HEAD_WORDS | {"early", "framing", "bom"}))
    if rule.lose is not None and lost:
        raise ScenarioError(f"{where}: a lost answer has no head, so {lost[0]} has no place")
    for name in rule.headers or {}:
        if not _TOKEN.fullmatch(name):
            raise ScenarioError(f"{where}: headers: {name!r} is no header name (RFC 9110 token)")
    if rule.redirect is not None and rule.status is not None and rule.status // 100 != 3:  # noqa: PLR2004 -- 3xx
        raise ScenarioError(f"{where}: a redirect needs a 3xx status, not {rule.status}")


def _check_end(rule: Rule, words: set[str], where: str) -> None:
    if rule.after is not None and not words & {"end", "stall"}:
        raise ScenarioError(f"{where}: `after` needs an end or a stall that happens there")
    if rule.lose is not None and rule.end not in {None, Ending.FIN, Ending.RST, Ending.HANG}:
        raise ScenarioError(f"{where}: a lost answer ends with fin, rst or hang")
    if rule.framing is Framing.CLOSE and rule.end in {Ending.BAD_CHUNK, Ending.SHORT_CHUNK}:
        raise ScenarioError(f"{where}: {rule.end} needs chunks, framing = 'close' has none")
    if words & {"extra", "extra_hex"} and rule.end not in {None, Ending.EOF, Ending.FIN}:
        raise ScenarioError(f"{where}: extra bytes can follow eof or fin, not {rule.end}")
