"""JSON Schemas (2020-12) of the driver protocol and of a case, from the words of the code.

It knows how to say a vocabulary as a schema. `python -m conformance.generate.schemas` writes the files in
`spec/schemas`; a test holds them against this module.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.casefile.loader import CONFIG_NUMBERS, CONFIG_TEXTS, TRIGGERS
from conformance.casefile.requirements import PROFILE_NAMES, Level
from conformance.casefile.steps import STEPS
from conformance.drive.protocol import (
    COMMANDS,
    ENDINGS,
    EVENTS,
    PROTOCOL,
    PURPOSES,
)
from conformance.strict_data import Json
from conformance.trace.events import CALLBACKS, ROUTES
from conformance.words import (
    CAPABILITIES,
    ERROR_KINDS,
    PROBED,
    TIMES,
)

Schema = Mapping[str, Json]
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final[Schema] = {"type": "string"}
_WHOLE: Final[Schema] = {"type": "integer"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_NUMBER: Final[Schema] = {"type": "number", "minimum": 0}
_TABLE: Final[Schema] = {"type": "object"}
_SPREAD: Final = ("of", "samples", "at_least", "over")
_CURSOR: Final[Schema] = {"oneOf": [_TEXT, {"const": False}]}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}


def _one_of(words: Sequence[str]) -> Schema:
    return {"enum": list(words)}


def _table(
    properties: Mapping[str, Json], required: Sequence[str] = (), *, closed: bool = True
) -> Schema:
    rest: Schema = {"additionalProperties": False} if closed else {}
    return {
        "type": "object",
        "properties": properties,
        **({"required": list(required)} if required else {}),
        **rest,
    }


def _config() -> Schema:
    trigger = _table({"callback": _one_of(CALLBACKS), "nth": {"type": "integer", "minimum": 1}})
    return _table(
        {
            **dict.fromkeys(CONFIG_TEXTS, _TEXT),
            **dict.fromkeys(CONFIG_NUMBERS, _NUMBER),
            **dict.fromkeys(TRIGGERS, trigger),
            "base_url": _TEXT,
            "profile": _one_of(PROFILE_NAMES),
            "input": _TABLE,
            "rng": {
                "type": "array",
                "items": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
            },
        }
    )


def drive_schema() -> Schema:
    """Return the schema of every message: one JSON object a line."""
    return {
        "$schema": _DIALECT,
        "title": f"{PROTOCOL}: one message, one line",
        "$defs": {
            "command": {"oneOf": list(_commands())},
            "answer": {"oneOf": [_answer(), _refusal()]},
            "event": {"oneOf": list(_events())},
            "hello": _hello(),
            "config": _config(),
        },
        "oneOf": [{"$ref": f"#/$defs/{part}"} for part in ("command", "answer", "event")],
    }


def _commands() -> Iterator[Schema]:
    arguments: Mapping[str, Mapping[str, Json]] = {
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
    members: Mapping[str, Mapping[str, Json]] = {
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


def case_schema() -> Schema:
    """Return the schema of one expanded case; its `server` has the words of a mock's rule."""
    step = _table({"do": _one_of(STEPS)}, ["do"], closed=False)
    answers: Schema = {"type": "array", "items": _TABLE}
    server: Schema = dict.fromkeys(ROUTES, answers)
    return {
        "$schema": _DIALECT,
        "title": "A case of the conformance kit",
        **_table(
            {
                "id": _TEXT,
                "requires": {**_TEXTS, "minItems": 1},
                "level": _one_of([level.value for level in Level]),
                "profiles": {"type": "array", "items": _one_of(PROFILE_NAMES)},
                "needs": {"type": "array", "items": _one_of((*CAPABILITIES, *PROBED))},
                "why": _TEXT,
                "config": _config(),
                "server": _table({**server, "scenario": _TABLE}),
                "hold": _TEXTS,
                "step": {"type": "array", "items": step},
                "premise": _premise(),
                "applies": _table({"request": {"type": "object", "additionalProperties": _TABLE}}),
                "expect": _expect(),
                "since": _TEXT,
            },
            ["id", "requires", "why", "expect"],
        ),
    }


def _premise() -> Schema:
    cursors: Schema = {"type": "array", "items": _CURSOR}
    carries = _table(dict.fromkeys(CALLBACKS, _TEXT))
    return _table(
        {
            "reached": _TEXTS,
            "last_event_ids": cursors,
            "callbacks": _TEXTS,
            "sleeps": _delays(),
            "carries": carries,
            "result": {"type": "object", "additionalProperties": _TABLE},
        }
    )


def _delays() -> Schema:
    bounds = _table({"exact": _NUMBER, "min": _NUMBER, "max": _NUMBER})
    return {"type": "array", "items": {"oneOf": [_NUMBER, bounds]}}


def _expect() -> Schema:
    calls: Schema = {"type": "array", "items": _TABLE, "minItems": 1}
    return {
        **_table(
            {
                "requests": _table(dict.fromkeys(ROUTES, _COUNT)),
                "connects": _COUNT,
                "last_event_ids": {"type": "array", "items": _CURSOR},
                "sleeps": _delays(),
                "sleeps_differ": {"type": "boolean"},
                "sleeps_spread": _table(dict.fromkeys(_SPREAD, _NUMBER), _SPREAD),
                "callbacks": {"type": "array", "items": {"oneOf": [_TEXT, _TABLE]}},
                "calls": _table(dict.fromkeys(CALLBACKS, calls)),
                "result": {"type": "object", "additionalProperties": _TABLE},
                "equal": {"type": "array", "items": _TEXTS},
                "request": {"type": "object", "additionalProperties": _TABLE},
                "equal_header": _table({"header": _TEXT, "of": _TEXTS}, ["header", "of"]),
                "not_elsewhere": _TEXTS,
                "reached": _TEXTS,
                "never": _TEXTS,
                "quiet_after": _TEXTS,
                "before": {"type": "array", "items": {**_TEXTS, "minItems": 2, "maxItems": 2}},
                "closed": _TEXTS,
                "cites": {"type": "object", "additionalProperties": _TEXTS},
            }
        ),
        "minProperties": 1,
    }


def schema_files() -> Mapping[str, str]:
    """Return the text of every schema file by its name."""
    schemas = {"drive": drive_schema(), "case": case_schema()}
    return {
        f"{name}.schema.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }


def write(directory: Path) -> None:
    """Write the schema files."""
    for name, text in schema_files().items():
        (directory / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write(Path(__file__).parents[2] / "spec" / "schemas")
