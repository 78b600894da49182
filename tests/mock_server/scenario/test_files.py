"""Scenarios as files: what is read, what is refused, and what the refusal says."""

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from mock_server import (
    Capability,
    Ending,
    ScenarioError,
    Span,
    scenario_from_dict,
    scenario_from_file,
    scenario_from_json,
    scenario_from_toml,
    scenario_to_dict,
    scenario_to_toml,
)
from mock_server.scenario.files import check_capabilities, scenario_schema

WHOLE = """
schema = 1
seed = 7

[backend]
token = "t"
keep_alive_ms = 15_000
half_close = "dropped"

[limits]
connections = 10

[[job]]
id = "a/b"
events = [{event = "training.log", json = {type = "training.log", step = 1}}, {retry_ms = 20}]
interval_ms = 1.5

[[rule]]
on = {route = "stream", attempt = "2-4", header = {last-event-id = "*"}, probability = 0.5}
delay_ms = 20
after = {frames = 2, bytes = 3}
stall = {gate = "mid"}
end = "rst"

[[rule]]
on = {frame = "3-"}
inject = {after = [{bytes_hex = "ff00"}, {comment = 'a "b" \\ c'}]}
slice = "mid_utf8"

[[rule]]
on = {connection = 2}
accept = "hang"
"""


def test_a_whole_scenario_is_read() -> None:
    scenario = scenario_from_toml(WHOLE)
    first = scenario.rules[0]
    assert first.on.attempt == Span(2, 4)
    assert first.head.delay == 0.02
    assert first.end.end is Ending.RST
    assert scenario.jobs[0].interval == 0.0015


def test_what_is_written_reads_back_as_the_same_scenario() -> None:
    scenario = scenario_from_toml(WHOLE)
    assert scenario_from_toml(scenario_to_toml(scenario)) == scenario
    assert scenario_from_json(json.dumps(scenario_to_dict(scenario))) == scenario


def test_the_schema_accepts_what_the_reader_accepts() -> None:
    schema = scenario_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(scenario_to_dict(scenario_from_toml(WHOLE)), schema)


def test_the_schema_refuses_an_unknown_word() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"rule": [{"ends": "rst"}]}, scenario_schema())


MISTAKES: list[tuple[object, str]] = [
    ({"edn": "rst"}, "rule 1: 'edn' is unknown; did you mean 'end'?"),
    ({"Delay-MS": 3}, "rule 1: 'Delay-MS' is unknown; did you mean 'delay_ms'?"),
    ({"end": "RST"}, "rule 1: end: 'RST' is unknown; did you mean 'rst'?"),
    ({"route": "me"}, "rule 1: 'route' is unknown; it belongs inside 'on'"),
    ({"gate": "me"}, "rule 1: 'gate' is unknown; it belongs inside 'replace' or 'stall'"),
    ({"end": "explode"}, "rule 1: end: 'explode' is unknown; write one of bad_chunk, eof"),
    ({"end": "rts"}, "rule 1: end: 'rts' is unknown; did you mean 'rst'?"),
    ({"on": {"rout": "stream"}}, "rule 1: on: 'rout' is unknown; did you mean 'route'?"),
    (
        {"on": {"route": "steam"}},
        "rule 1: on.route: 'steam' is unknown; did you mean 'stream'?",
    ),
    ({"status": "503"}, "rule 1: status: '503' (string) is not a whole number from 200 to 999"),
    ({"status": True}, "rule 1: status: True (boolean) is not a whole number"),
    ({"on": {"attempt": "4-2"}, "end": "rst"}, "is not a positive whole number or a range"),
    ({"on": {"attempt": 0}, "end": "rst"}, "is not a positive whole number or a range"),
    ({"delay_ms": float("nan")}, "is not a number from 0"),
    ({"frames": [{}]}, "rule 1: frames 1: is an empty frame"),
    ({"frames": [{"data": "x", "raw": "y"}]}, "data and raw cannot be combined"),
    ({"frames": [{"id": "a\nb", "data": ""}]}, "frames 1.id: '\\n' would not arrive as sent"),
    ({"frames": [{"bytes_hex": "xyz"}]}, "is not bytes in hexadecimal"),
    ({"stall": {}}, "a stall needs either ms or gate"),
    ({"after": {"frames": 1}}, "`after` needs an `end` or a `stall`"),
    ({}, "rule 1: does nothing"),
    ({"on": {"frame": 2}, "status": 503}, "'status' applies to a whole exchange"),
    ({"on": {"connection": 2}, "end": "rst"}, "'end' cannot be used in a rule about connections"),
    (
        {"accept": "rst", "on": {"route": "me"}},
        "'route' cannot be used in a rule about connections",
    ),
    ({"body": "x", "json": 1}, "body and json cannot be combined"),
    ({"raw_head": "x", "status": 200}, "raw head is sent verbatim"),
    ({"lose": "request", "status": 500}, "a lost response has no head"),
    ({"lose": "request", "end": "eof"}, "must end with fin, rst or hang"),
    ({"redirect": "/x", "status": 200}, "a redirect needs a 3xx status"),
    ({"framing": "close", "end": "bad_chunk"}, "needs chunks"),
    ({"headers": {"X": "a\r\nb"}}, "CR, LF or NUL"),
    ({"headers": {"X\r\nY": "a"}}, "is not a valid header name"),
    ({"headers_twice": ["X Y"]}, "is not the name of a header field"),
    ({"stall": {"ms": 86_000_000}}, "limits.stall_ms allows at most 600 s"),
    ({"extra": "x", "end": "rst"}, "extra bytes can follow eof or fin"),
    ({"frames": 3}, "3 (integer) is not an array"),
    ({"handoff": {}}, "rule 1: handoff: must set lose or repeat"),
    ({"lose": 1}, "rule 1: lose: 1 (integer) is not one of"),
    ({"repeat": 1}, "rule 1: 'repeat' is unknown; it belongs inside 'handoff'"),
    ({"hold_bytes": 0}, "rule 1: hold_bytes: 0 (integer) is not a whole number from 1"),
    ({"keep_alive_ms": 9}, "rule 1: 'keep_alive_ms' is unknown"),
    (7, "rule 1: 7 (integer) is not a rule"),
]


@pytest.mark.parametrize(("rule", "message"), MISTAKES)
def test_a_mistake_is_named_with_its_rule_and_its_remedy(rule: object, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario_from_dict({"rule": [rule]})
    assert message in str(caught.value)
    assert str(caught.value).startswith("rule 1")


def test_the_second_rule_is_named_as_the_second() -> None:
    with pytest.raises(ScenarioError, match=r"^rule 2: 'edn'"):
        scenario_from_dict({"rule": [{"end": "rst"}, {"edn": "rst"}]})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"rules": []}, "'rules' is unknown; did you mean 'rule'?"),
        ({"schema": 2}, "schema: 2 (integer) is not supported; the only valid value is 1"),
        ({"job": [{"id": "a"}, {"id": "a"}]}, "the id 'a' is given twice"),
        ({"job": [{"submitted": True}]}, "job 1: a submitted job needs an id"),
        (
            {"job": [{"emitted": True, "interval_ms": 5}]},
            "job 1: interval_ms has no effect",
        ),
        ({"limits": {"connection": 1}}, "limits: 'connection' is unknown; did you mean"),
        ({"backend": {"tokn": "x"}}, "backend: 'tokn' is unknown; did you mean 'token'?"),
        ({"token": "x"}, "'token' is unknown; it belongs inside 'backend'"),
        ({"keep_alive_ms": 9}, "'keep_alive_ms' is unknown; it belongs inside 'backend'"),
        ({"backend": {"keep_alive_ms": "soon"}}, "backend.keep_alive_ms: 'soon' (string) is not"),
        ({"backend": {"half_close": "drop"}}, "backend.half_close: 'drop' is unknown; did you"),
        ({"job": [{"status": "done"}]}, "job 1: status: 'done' is unknown"),
    ],
)
def test_a_mistake_elsewhere_is_named_too(data: dict[str, object], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario_from_dict(data)
    assert message in str(caught.value)


def test_a_rule_that_the_carrier_cannot_carry_is_refused_by_name() -> None:
    scenario = scenario_from_dict({"rule": [{"end": "eof"}, {"end": "rst"}]})
    frames_only = frozenset({Capability.FRAME})
    with pytest.raises(ScenarioError) as caught:
        check_capabilities(scenario, frames_only, "mitmproxy")
    expected = "rule 2: 'end = rst' needs the raw capability; the mitmproxy carrier lacks it"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ({"keep_alive_ms": 9}, "backend"),
        ({"paths": "raw"}, "backend"),
        ({"leak": True}, "listener"),
    ],
)
def test_a_word_of_the_backend_that_the_carrier_cannot_carry_is_refused_by_name(
    words: dict[str, object], needed: str
) -> None:
    scenario = scenario_from_dict({"backend": {"token": "t", **words}})
    check_capabilities(scenario, frozenset({Capability(needed)}), "native proxy")
    with pytest.raises(ScenarioError) as caught:
        check_capabilities(scenario, frozenset({Capability.RAW}), "native proxy")
    assert str(caught.value) == (
        f"backend: {next(iter(words))!r} needs the {needed} capability; "
        "the native proxy carrier lacks it"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.toml", b"[[rule]\n", "TOML: "),
        (
            "s.toml",
            b'x = "\xff"',
            "the byte at offset 5 is not UTF-8; to send such bytes, use bytes_hex",
        ),
        ("s.json", b"{", "JSON: "),
        ("s.json", b"[]", "JSON: must be an object"),
        ("s.yaml", b"", "has the suffix '.yaml'; a scenario must be a .toml or .json file"),
        ("s", b"", "has no suffix; a scenario must be a .toml or .json file"),
        ("s.toml", b"x = " + b"[" * 5000, "TOML: "),
        ("s.json", b"[" * 100_000, "JSON: "),
        ("s.toml", None, "No such file"),
    ],
)
def test_a_broken_file_is_named(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScenarioError) as caught:
        scenario_from_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
