"""The JSON Schema (2020-12) of `run.json`, from the words of the code.

`python -m conformance.reports.schema` writes `spec/schemas/run.schema.json`; a test holds the file
against this module.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from conformance.case_words import TIMES
from conformance.reading import Json
from conformance.reports.record import SCHEMA
from conformance.specification import Level
from conformance.verdict_words import Verdict

Schema = Mapping[str, Json]
_TEXT: Final[Schema] = {"type": "string"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_PLACE: Final[Schema] = {"type": ["integer", "null"], "minimum": 1}
_VERDICTS: Final = [verdict.value for verdict in Verdict]
_LEVEL: Final[Schema] = {"enum": [level.value for level in Level]}


def _said(about: str, shape: Schema) -> Schema:
    return {**shape, "description": about}


_SECONDS: Final = _said("Monotonic, never judged.", {"type": "number", "minimum": 0})


def _table(properties: Mapping[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def run_schema() -> Schema:
    """Return the schema of a run. No secret stands in one: tokens are `[secret]`."""
    top = _table(
        {
            "schema": {"const": SCHEMA},
            "kit": _said("The version of the kit.", _TEXT),
            "client": _client(),
            "seconds": _SECONDS,
            "time": _said("Whose time the run was judged by.", _time()),
            "stack": _said(
                "Whether the client's HTTP stack tells a body that was cut off; null if no case asked.",
                {"type": ["object", "null"], "additionalProperties": _TEXT},
            ),
            "profiles": _list(_profile()),
            "requirements": _said("By id.", _map(_requirement())),
            "events": _said("Every event of every trace, once; see trace.", _list(_event())),
            "results": _said("One case under one profile each.", _list(_result())),
        }
    )
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "title": "A run of the conformance kit", **top}


def _client() -> Schema:
    return _table(
        {
            "implementation": _TEXT,
            "version": _TEXT,
            "profiles": _TEXTS,
            "capabilities": _TEXTS,
            "declared_gaps": _said("Reasons by case.", _map(_TEXT)),
            "command": _said("The driver's; empty for the reference.", _TEXTS),
        }
    )


def _time() -> Schema:
    return _table({"mode": {"enum": list(TIMES)}, "said": _TEXT})


def _profile() -> Schema:
    counts: Schema = {"type": "object", "propertyNames": {"enum": _VERDICTS}}
    return _table(
        {
            "name": _TEXT,
            "verdict": _said("All that ran must hold; there are no percentages.", _TEXT),
            "counts": {**counts, "additionalProperties": _COUNT},
        }
    )


def _requirement() -> Schema:
    return _table(
        {
            "level": _LEVEL,
            "source": _TEXT,
            "text": _TEXT,
            "why": _TEXT,
            "profiles": _TEXTS,
            "excluded": _said("Why no case can judge it, or empty.", _TEXT),
        }
    )


def _result() -> Schema:
    return _table(
        {
            "case": _TEXT,
            "profile": _TEXT,
            "family": _TEXT,
            "level": _LEVEL,
            "requires": _TEXTS,
            "why": _TEXT,
            "verdict": {"enum": _VERDICTS},
            "reason": _said("Of a verdict without findings; else the driver's log.", _TEXT),
            "seconds": _SECONDS,
            "rerun": _said("The command that runs this alone.", _TEXT),
            "findings": _list(_finding()),
            "unjudged": _said(
                "What of a case that ran the time of the run could not judge.",
                _list(_table({"word": _TEXT, "why": _TEXT})),
            ),
            "omitted": _said("Events left out of a long trace.", _COUNT),
            "trace": _list(_entry()),
            "details": _said(
                "Where something was found: what an event's text leaves out, by its number.",
                _map(_TEXT),
            ),
        }
    )


def _finding() -> Schema:
    return _table(
        {
            "assertion": _TEXT,
            "requires": _said("The rules that break with it.", _TEXTS),
            "expected": _TEXT,
            "actual": _TEXT,
            "event": _said("The number of the first diverging event, or null.", _PLACE),
        }
    )


def _entry() -> Schema:
    entry: Schema = {
        "type": "array",
        "prefixItems": [
            _said("The number of the event in its trace, from 1.", {"type": "integer"}),
            _said("Milliseconds since the trace began, never judged.", {"type": "number"}),
            _said("What happened: the place in the run's `events`, from 0.", _COUNT),
        ],
        "items": False,
        "minItems": 3,
    }
    return entry


def _event() -> Schema:
    return _table(
        {
            "who": _TEXT,
            "to": _said("To whom it goes, or null.", {"type": ["string", "null"]}),
            "kind": _TEXT,
            "text": _TEXT,
            "names": _said("How a case refers to it: stream#2.frame#1.", _TEXTS),
        }
    )


def schema_text() -> str:
    """Return the text of the schema's file."""
    return json.dumps(run_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    schemas = Path(__file__).parents[2] / "spec" / "schemas"
    (schemas / "run.schema.json").write_text(schema_text(), "utf-8")
