"""Write the kit's JSON Schemas (2020-12) for protocols, cases, runs, baselines and requirements.

`python -m conformance.generate.schemas` writes the files in `spec/schemas`; a test compares them
with this module. `mock_server.scenario.reference` writes the schema of scenarios.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.backends.control import PROTOCOL as CONTROL
from conformance.backends.control import WORDS
from conformance.casefile.requirements import PROFILE_NAMES, REQUIREMENTS
from conformance.casefile.templates import EACH
from conformance.casefile.words import CASE, CONFIG
from conformance.drive.protocol import COMMANDS, ENDINGS, EVENTS, PROTOCOL, PURPOSES
from conformance.generate.vectors import FORMAT, VECTOR
from conformance.parser.protocol import PROTOCOL as PARSE
from conformance.parser.protocol import REPORTS
from conformance.reports.run_json.words import RUN
from conformance.trace.events import CALLBACKS
from conformance.verdict.known_failures import BASELINE
from conformance.words import CAPABILITIES, ERROR_KINDS, TIMES
from mock_server.strict.schema import Schema, schema_document, schema_id, schema_text
from mock_server.strict.shapes import is_array, is_table

_TEXT: Final[Schema] = {"type": "string"}
_WHOLE: Final[Schema] = {"type": "integer"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Schema] = {"type": "number", "minimum": 0}
_TABLE: Final[Schema] = {"type": "object"}
_PLACEHOLDER: Final = r"<null>|\{[a-z_0-9]+\}"
"""The pattern of the placeholders that can replace any value or key in a template."""


def _one_of(words: Sequence[str]) -> Schema:
    return {"enum": list(words)}


def _table(properties: Schema, required: Sequence[str] = ()) -> Schema:
    needed: Schema = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": False}


def _config() -> Schema:
    """Return the schema of a case's configuration, with the keys that the kit adds."""
    words = CONFIG.schema()
    given = words["properties"]
    more = {"base_url": _TEXT, "profile": _one_of(PROFILE_NAMES)}
    return {**words, "properties": {**more, **(given if is_table(given) else {})}}


def drive_schema() -> dict[str, object]:
    """Return the schema of an `arkor-drive/1` message, which is a JSON object on one line."""
    schema: Schema = {
        "$defs": {
            "command": {"oneOf": list(_commands())},
            "answer": {"oneOf": [_answer(), _refusal()]},
            "event": {"oneOf": list(_events())},
            "hello": _hello(),
            "config": _config(),
        },
        "oneOf": [{"$ref": f"#/$defs/{part}"} for part in ("command", "answer", "event")],
    }
    return schema_document("drive", f"An {PROTOCOL} message, on a line of its own", schema)


def _commands() -> Iterator[Schema]:
    arguments: Mapping[str, Schema] = {
        "hello": {"protocol": {"const": PROTOCOL}, "time": _one_of(TIMES)},
        "open": {"case": _TEXT, "config": {"$ref": "#/$defs/config"}},
        "abort": {"reason": _TEXT},
        "wake": {"n": _COUNT, "ms": _NUMBER},
    }
    for name in COMMANDS:
        own = arguments.get(name, {})
        needed = [key for key in own if key not in {"time", "ms"}]
        required = ["do", *needed] if name == "wake" else ["id", "do", *needed]
        yield _table({"id": _WHOLE, "do": {"const": name}, **own}, required)


def _answer() -> Schema:
    return _table({"re": _WHOLE, "ok": _TABLE}, ["re", "ok"])


def _refusal() -> Schema:
    error = _table(
        {"kind": _one_of(ERROR_KINDS), "status": _WHOLE, "message": _TEXT}, ["kind", "message"]
    )
    return _table({"re": _WHOLE, "error": error}, ["re", "error"])


def _events() -> Iterator[Schema]:
    members: Mapping[str, Schema] = {
        "callback": {"name": _one_of(CALLBACKS), "data": _TABLE},
        "sleep": {"n": _COUNT, "ms": _NUMBER, "purpose": _one_of(PURPOSES)},
        "sleep_end": {"n": _COUNT, "why": _one_of(ENDINGS)},
        "log": {"text": _TEXT},
    }
    for name in EVENTS:
        own = members[name]
        required = ["event", *(key for key in own if key != "purpose")]
        yield _table({"event": {"const": name}, **own}, required)


def _hello() -> Schema:
    return _table(
        {
            "impl": _TEXT,
            "version": _TEXT,
            "profiles": {"type": "array", "items": _one_of(PROFILE_NAMES), "minItems": 1},
            "capabilities": {"type": "array", "items": _one_of(CAPABILITIES)},
            "declared_gaps": {"type": "object", "additionalProperties": _TEXT},
        },
        ["impl", "version", "profiles", "capabilities"],
    )


def parse_schema() -> dict[str, object]:
    """Return the schema of the messages between the kit and a parser, each on one line."""
    reports: Schema = {"type": "array", "items": _one_of(REPORTS)}
    event = {"type": _TEXT, "data": _TEXT, "last_event_id": _TEXT, "chunk": _COUNT}
    asked: Schema = {"anyOf": [{**_NUMBER}, {"type": "null"}]}
    events: Schema = {"type": "array", "items": _table(event, ["type", "data"])}
    chunks: Schema = {"type": "array", "items": {**_TEXT, "contentEncoding": "base64"}}
    parse = {"do": {"const": "parse"}, "chunks": chunks, "last_event_id": _TEXT}
    result = {"events": events, "last_event_id": _TEXT, "retry": asked, "error": _TEXT}
    schema: Schema = {
        "oneOf": [
            _table({"do": {"const": "hello"}, "protocol": {"const": PARSE}}, ["do", "protocol"]),
            _table({**parse, "max_event_size": {**_COUNT, "minimum": 1}}, ["do", "chunks"]),
            _table({"impl": _TEXT, "version": _TEXT, "reports": reports}, ["impl", "version"]),
            _table(result, ["events"]),
        ]
    }
    return schema_document("parse", f"An {PARSE} message, on a line of its own", schema)


def control_schema() -> dict[str, object]:
    """Return the schema of the messages between the kit and a control program."""
    events: Schema = {"type": "array", "items": _TEXT}
    arguments: Mapping[str, Mapping[str, Schema]] = {
        "hello": {"protocol": {"const": CONTROL}},
        "emit": {"job": _TEXT, "n": {**_COUNT, "minimum": 1}, "bytes": _COUNT},
        "fail": {"job": _TEXT, "error": _TEXT},
        "drop": {"job": _TEXT, "how": _one_of(("fin", "rst"))},
        "forget": {"job": _TEXT, "keep": _COUNT},
        "revoke": {"token": _TEXT},
        **{name: {"job": _TEXT} for name in ("finish", "hold", "held", "release")},
        **{name: {} for name in ("job", "rotate", "bye")},
    }
    commands = [
        _table(
            {"id": _WHOLE, "do": {"const": name}, **own},
            ["id", "do", *(each for each in own if each not in {"bytes", "error"})],
        )
        for name, own in arguments.items()
    ]
    names = ("base_url", "token", "org", "project", "other_token", "other_org", "other_project")
    words: Schema = {"type": "array", "items": _one_of(WORDS)}
    hello = {"impl": _TEXT, "version": _TEXT, "words": words, "keep": _COUNT}
    schema: Schema = {
        "$defs": {
            "command": {"oneOf": commands},
            "answer": {"oneOf": [_answer(), _control_refusal()]},
            "hello": _table({**hello, **dict.fromkeys(names, _TEXT)}, ["impl", "version", "words"]),
            "job": _table({"id": _TEXT}, ["id"]),
            "emit": _table({"ids": events}, ["ids"]),
        },
        "oneOf": [{"$ref": "#/$defs/command"}, {"$ref": "#/$defs/answer"}],
    }
    return schema_document("control", f"An {CONTROL} message, on a line of its own", schema)


def _control_refusal() -> Schema:
    error = _table({"message": _TEXT}, ["message"])
    return _table({"re": {"type": ["integer", "null"]}, "error": error}, ["re", "error"])


def case_schema() -> dict[str, object]:
    """Return the schema of one expanded case."""
    return schema_document("case", "A case of the conformance kit", CASE.schema())


def case_file_schema() -> dict[str, object]:
    """Return the schema of a case file: a list of cases and templates, or only one of them.

    In a template, any value may be a placeholder such as `{status}`.
    """
    case = CASE.schema()
    words = case["properties"]
    template = {**case, "properties": {**(words if is_table(words) else {}), "each": EACH.schema()}}
    loose = _loosened(template)
    listed: Schema = {"type": "array", "items": loose}
    either = {"anyOf": [_table({"case": listed}, ["case"]), loose]}
    return schema_document("case-file", "A case file of the conformance kit", either)


def _loosened(schema: Schema) -> dict[str, object]:
    """Return the schema, changed so that placeholders may replace keys and values."""
    found = {key: _loose_part(key, value) for key, value in schema.items()}
    if "anyOf" in schema or "oneOf" in schema:
        return {"anyOf": found.get("anyOf", found.get("oneOf")), **_about(schema)}
    if schema.get("additionalProperties") is False:
        found["patternProperties"] = {_PLACEHOLDER: {}}
    return found


def _loose_part(key: str, value: object) -> object:
    if key in {"anyOf", "oneOf"} and is_array(value):
        return [_loosened(each) for each in value if is_table(each)]
    if key == "properties" and is_table(value):
        return {word: _or_placeholder(each) for word, each in value.items()}
    if key in {"items", "additionalProperties", "propertyNames"}:
        return _or_placeholder(value)
    return value


def _or_placeholder(value: object) -> object:
    if not is_table(value) or not value or set(value) <= {"type", "maxLength", "description"}:
        return value
    bare = {key: item for key, item in value.items() if key != "description"}
    place: Schema = {"type": "string", "pattern": _PLACEHOLDER}
    return {"anyOf": [_loosened(bare), place], **_about(value)}


def _about(schema: Schema) -> Schema:
    return {"description": schema["description"]} if "description" in schema else {}


def vectors_schema() -> dict[str, object]:
    """Return the schema of a file of compiled cases; it embeds the schema of a case."""
    case: Schema = {"$ref": schema_id("case")}
    items: Schema = {"allOf": [case, {"required": list(VECTOR)}]}
    properties: Schema = {
        "format": {"const": FORMAT},
        "family": _TEXT,
        "cases": {"type": "array", "minItems": 1, "items": items},
    }
    words = {**_table(properties, list(properties)), "$defs": {"case": case_schema()}}
    return schema_document("case-vectors", "The compiled cases of one family", words)


def run_schema() -> dict[str, object]:
    """Return the schema of `run.json`."""
    return schema_document("run", "The results of a run of the conformance kit", RUN.schema())


def schema_files() -> Mapping[str, str]:
    """Return a mapping from the name of each schema file to its text."""
    schemas = {
        "drive": drive_schema(),
        "parse": parse_schema(),
        "control": control_schema(),
        "case": case_schema(),
        "case-file": case_file_schema(),
        "case-vectors": vectors_schema(),
        "known-failures": schema_document(
            "known-failures", "The known failures of a client", BASELINE.schema()
        ),
        "requirements": schema_document(
            "requirements", "The rules of the specification", REQUIREMENTS.schema()
        ),
        "run": run_schema(),
    }
    return {f"{name}.schema.json": schema_text(schema) for name, schema in schemas.items()}


def write(directory: Path) -> None:
    """Write the schema files."""
    for name, text in schema_files().items():
        (directory / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write(Path(__file__).parents[2] / "spec" / "schemas")
