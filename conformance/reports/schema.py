"""The JSON Schema (2020-12) of `run.json`, from the words of the code.

`python -m conformance.reports.schema` writes `spec/schemas/run.schema.json`; a test holds the file
against this module.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.casefile.requirements import Level
from conformance.reports.record import SCHEMA
from conformance.strict_data import Json
from conformance.verdict.claim import Rank
from conformance.verdict.standing import Standing
from conformance.verdict.statuses import Verdict
from conformance.words import TIMES

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
    """Return the schema of a run. It has no secret in it: tokens are `[secret]`."""
    top = _table(
        {
            "schema": {"const": SCHEMA},
            "kit": _said("The version of the kit.", _TEXT),
            "specification": _said("What the client was judged by.", _specification()),
            "strict": _said("Whether proposals count under every profile.", {"type": "boolean"}),
            "client": _client(),
            "seconds": _SECONDS,
            "time": _said("Whose time the run was judged by.", _time()),
            "stack": _said(
                "Whether the client's HTTP stack tells a body that was cut off; null if no case asked.",
                {"type": ["object", "null"], "additionalProperties": _TEXT},
            ),
            "partial": _said(
                "What was not played and why; null if the run is complete.", _partial()
            ),
            "profiles": _list(_profile()),
            "not_applicable": _said("By what was missing, the largest first.", _list(_group())),
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


def _partial() -> Schema:
    partial = _table({"why": _TEXT, "left": _COUNT, "of": _COUNT, "said": _TEXT})
    return {**partial, "type": ["object", "null"]}


def _specification() -> Schema:
    return _table(
        {
            "version": _TEXT,
            "cases": _said("SHA-256 of all cases in force as canonical JSON, in hex.", _TEXT),
            "said": _said("Both in words.", _TEXT),
        }
    )


def _profile() -> Schema:
    return _table(
        {
            "name": _TEXT,
            "rank": {"enum": [rank.value for rank in Rank]},
            "verdict": _said("What is claimed, in words; there are no percentages.", _TEXT),
            "holds": _said("The parts of the protocol that were judged.", _TEXTS),
            "lacks": _said("Why the claim is not for the whole surface.", _TEXTS),
            "remarks": _said("What could not be looked at closely enough.", _TEXTS),
            "unplayed": _said("Cases that were chosen and never had their turn.", _COUNT),
            "counts": _counted(_VERDICTS),
            "MUST": _level(),
            "SHOULD": _level(),
            "apart": _said(
                "Broken rules that do not count under this profile.",
                _table({"broken": _TEXTS, "cases": _COUNT}),
            ),
            "sources": _said("Broken rules by the kind of their source.", _map(_COUNT)),
            "not_reached": _table(
                {
                    "cases": _COUNT,
                    "because": _said("By the rule that was broken on the way.", _map(_COUNT)),
                }
            ),
            "unruled": _said("Cases that the driver itself failed, without a rule.", _COUNT),
            "rules": _said("By id.", _map({"enum": [each.value for each in Standing]})),
        }
    )


def _counted(words: Sequence[str]) -> Schema:
    names: Schema = {"enum": list(words)}
    return {"type": "object", "propertyNames": names, "additionalProperties": _COUNT}


def _level() -> Schema:
    return _table(
        {
            "broken": _said("The rules that some case breaks.", _TEXTS),
            "cases": _said("The cases that break one of them.", _COUNT),
            "known": _said("Rules that only known failures break.", _COUNT),
            "hold": _COUNT,
            "not_judged": _said("Rules that no case got to.", _COUNT),
        }
    )


def _group() -> Schema:
    return _table(
        {
            "name": _said("A capability, an operation, or what else was missing.", _TEXT),
            "why": _TEXT,
            "cases": _COUNT,
            "musts": _said("MUST rules that no case judged for want of it.", _TEXTS),
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
            "lacking": _said("The capabilities for want of which it was not played.", _TEXTS),
            "seconds": _SECONDS,
            "rerun": _said("The command that runs this alone.", _TEXT),
            "findings": _list(_finding()),
            "operations": _said("How each settled, where something was found.", _TEXTS),
            "endless": _said("Whether the client went on without end.", {"type": "boolean"}),
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
            "not_reached": _said(
                "Whether the client did not get to what the case is about.", {"type": "boolean"}
            ),
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
