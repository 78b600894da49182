"""The driver protocol: which lines are messages; the schema agrees."""

import json
import math

import pytest

from conformance.casefile.requirements import specification_directory
from conformance.drive.protocol import (
    COMMANDS,
    PROTOCOL,
    Answer,
    DriveError,
    command,
    parse_identity,
    parse_message,
)
from conformance.generate.schemas import drive_schema, schema_files
from conformance.strict_data import Json
from conformance.trace.events import CallbackRan, Failure, Noted, SleepEnded, Slept
from tests.json_schema import problem

SOUND = {
    '{"re": 3, "ok": {"job_id": "j"}}': Answer(3, {"job_id": "j"}, None),
    '{"re": 3, "ok": {}}': Answer(3, {}, None),
    '{"re": 4, "error": {"kind": "http", "status": 404, "message": "no"}}': Answer(
        4, {}, Failure("http", 404, "no")
    ),
    '{"re": 5, "error": {"kind": "aborted", "message": ""}}': Answer(
        5, {}, Failure("aborted", None, "")
    ),
    '{"event": "callback", "name": "log", "data": {"step": 1}}': CallbackRan("log", {"step": 1}),
    '{"event": "sleep", "n": 1, "ms": 1000}': Slept(1, 1000, "reconnect"),
    '{"event": "sleep", "n": 2, "ms": 0.5, "purpose": "idle"}': Slept(2, 0.5, "idle"),
    '{"event": "sleep_end", "n": 1, "why": "aborted"}': SleepEnded(1, "aborted"),
    '{"re": 3.0, "ok": {}}': Answer(3, {}, None),
    '{"event": "log", "text": "hello"}': Noted("driver", "hello"),
}
UNSOUND = {
    "hello": "not a line of JSON",
    "[1]": "a list, not a JSON object",
    '{"event": "sleep", "n": 1, "ms": true}': "'ms' is a boolean",
    '{"event": "sleep", "n": ' + "9" * 400 + ', "ms": 1}': "'n' is 2^53 or more",
    '{"event": "sleep", "n": ' + "9" * 5_000 + ', "ms": 1}': "'n' is a number",
    '{"re": ' + "9" * 400 + ', "ok": {}}': "'re' is 2^53 or more",
    '{"event": "callback", "name": "log", "data": '
    + "[" * 300
    + "]" * 300
    + "}": "nested more than 200 levels deep",
    '{"event": "sleep", "n": "1", "ms": 1}': "'n' is a string",
    '{"event": "sleep", "n": 1, "ms": 1, "purpose": "nap"}': "'nap' is unknown",
    '{"event": "callback", "name": "reconnect"}': "'reconnect' is unknown",
    '{"event": "dance"}': "'dance' is unknown",
    '{"re": 3.5, "ok": {}}': "'re' is a number, not a whole number",
    '{"re": 1e300, "ok": {}}': "'re' is 2^53 or more",
    '{"re": Infinity, "ok": {}}': "'re' is a number",
    '{"re": "3", "ok": {}}': "'re' is a string",
    '{"re": 3, "error": {"kind": "oops"}}': "'oops' is unknown",
    '{"re": 3, "error": null}': "'error' is null, not a table",
    '{"re": 3, "ok": []}': "'ok' is a list, not a table",
    "{}": "'event' is missing",
    "[" * 100_000: "nested more than 200 levels deep",
}


@pytest.mark.parametrize(("line", "message"), SOUND.items())
def test_a_message_is_parsed_and_the_schema_agrees(line: str, message: object) -> None:
    assert parse_message(line.encode()) == message
    assert problem(json.dumps(drive_schema()), json.loads(line)) == ""


@pytest.mark.parametrize(
    ("ms", "read"),
    [
        ("NaN", math.nan),
        ('"NaN"', math.nan),
        ('"-Infinity"', -math.inf),
        ("null", math.nan),
        ("Infinity", math.inf),
        ("1e400", math.inf),
        ("9" * 400, math.inf),
        ("-" + "9" * 5_000, -math.inf),
        ("-1", -1.0),
    ],
)
def test_a_delay_is_read_as_the_client_gave_it(ms: str, read: float) -> None:
    message = parse_message(f'{{"event": "sleep", "n": 1, "ms": {ms}}}'.encode())
    assert isinstance(message, Slept)
    assert message.ms == pytest.approx(read, nan_ok=True)


@pytest.mark.parametrize(("line", "problem"), UNSOUND.items())
def test_what_is_no_message_is_shown_with_its_problem(line: str, problem: str) -> None:
    with pytest.raises(DriveError) as raised:
        parse_message(line.encode())
    assert problem in str(raised.value)
    assert line[:20] in str(raised.value).replace("\\'", "'")


def test_a_byte_order_mark_is_named() -> None:
    with pytest.raises(DriveError, match="begins with a byte order mark; print UTF-8 without one"):
        parse_message(b'\xef\xbb\xbf{"event": "log"}')


def test_bytes_that_are_no_text_are_no_message() -> None:
    with pytest.raises(DriveError, match="not a line of JSON"):
        parse_message(b"\xff\xfe")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_follows_the_schema(name: str) -> None:
    arguments: dict[str, dict[str, Json]] = {
        "hello": {"protocol": PROTOCOL},
        "open": {"case": "a.b", "config": {"base_url": "http://x", "profile": "hardened"}},
        "abort": {"reason": "because"},
        "wake": {"n": 1},
    }
    line = command(None if name == "wake" else 1, name, arguments.get(name, {}))
    assert line.endswith(b"\n")
    assert problem(json.dumps(drive_schema()), json.loads(line)) == ""


def test_a_driver_may_declare_gaps_with_reasons() -> None:
    identity = parse_identity(
        {
            "impl": "x",
            "version": "1",
            "profiles": ["2026-07"],
            "capabilities": ["abort"],
            "declared_gaps": {"wire.create-body": "not yet"},
        }
    )
    assert identity.declared_gaps == {"wire.create-body": "not yet"}


@pytest.mark.parametrize(("name", "text"), schema_files().items())
def test_the_schema_files_say_what_the_code_says(name: str, text: str) -> None:
    path = specification_directory() / "schemas" / name
    assert path.read_text("utf-8") == text, "run python -m conformance.generate.schemas"
