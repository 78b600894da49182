"""Make random schedules of faults, turn them into cases, and shrink those that fail.

Each case expects what the oracle predicts; `arkor-conformance explore` runs the cases.
"""

import random
from collections.abc import Iterator, Mapping
from typing import Final

from attrs import evolve

from conformance.casefile.loader import read_case
from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement
from conformance.explore.oracle import (
    CALLBACK,
    INITIAL_MS,
    MAX_MS,
    Attempt,
    Frame,
    Kind,
    Prediction,
    Schedule,
    Trigger,
    predict,
)
from conformance.strict_data import Json, Table
from mock_server.strict.toml import toml_value

NEEDS: Final = ("clock.virtual", "config.backoff", "rng", "abort", "cancel")
_STATUSES: Final = (200,) * 8 + (401, 403, 404, 410, 418, 429, 500, 503)
_JOB_STATUSES: Final = ("running", "running", "running", "completed", "failed", "cancelled")
_IDS: Final = ("1", "2", "3", "4", "é", "10", "a b")
_REFUSED: Final = Attempt(status=503)
"""The simplest attempt that fails."""
_ODD_IDS: Final[Mapping[str | None, str]] = {"é": "5", "10": "6", "a b": "7"}
"""For each unusual id, the plain one that replaces it."""
_KINDS: Final = (Kind.LOG,) * 5 + tuple(kind for kind in Kind if kind is not Kind.END)
_JSON: Final[Mapping[Kind, Mapping[str, Json]]] = {
    Kind.STARTED: {"timestamp": "2026-05-01T00:00:00Z"},
    Kind.LOG: {"step": 1, "loss": 0.5},
    Kind.CHECKPOINT: {"step": 2},
    Kind.COMPLETED: {},
    Kind.FAILED: {"error": "out of memory"},
    Kind.UNKNOWN: {},
}
# The rules that a client breaks if its trace differs from the prediction, by expectation.
_CITES: Final[Mapping[str, Json]] = {
    "last_event_ids": ["ARK-RES-2", "ARK-RES-3"],
    "sleeps": ["ARK-BAK-1"],
    "requests": ["ARK-BUD-6"],
    "callbacks": ["ARK-EVT-1", "ARK-EVT-2"],
    "result": ["ARK-STR-4"],
}


_TABLES: Final = frozenset({"config", "server", "step", "expect"})
_ABOUT: Final = "# A random schedule, shrunk; the case expects what the oracle predicts."
_REQUIRES: Final = (
    "ARK-RES-2",
    "ARK-RES-3",
    "ARK-BAK-1",
    "ARK-BUD-6",
    "ARK-EVT-1",
    "ARK-EVT-2",
    "ARK-STR-4",
)


def roll(seed: int, number: int, profile: str) -> Schedule:
    """Return the `number`th random schedule for `seed`; equal arguments give equal schedules."""
    rng = random.Random(f"{seed}/{number}/{profile}")  # noqa: S311 - must be repeatable
    attempts = [_attempt(rng) for _ in range(rng.randint(1, 6))]
    # The last attempt ends the wait, unless the budget is exhausted earlier.
    end = rng.choice((Kind.COMPLETED, Kind.FAILED, Kind.END))
    attempts.append(Attempt(frames=(Frame(end, "last"),)))
    trigger = None
    if rng.random() < 0.4:  # noqa: PLR2004 - often enough
        does = rng.choice(("throw_in", "abort_in", "cancel_in"))
        trigger = Trigger(
            does, rng.choice(tuple(dict.fromkeys(CALLBACK.values()))), rng.randint(1, 3)
        )
    return Schedule(
        profile=profile,
        attempts=tuple(attempts),
        max_attempts=rng.randint(0, 5),
        trigger=trigger,
        job=rng.choice(_JOB_STATUSES),
    )


def _attempt(rng: random.Random) -> Attempt:
    status = rng.choice(_STATUSES)
    frames = tuple(_frame(rng) for _ in range(rng.randint(0, 4))) if status == 200 else ()  # noqa: PLR2004 - OK
    return Attempt(status=status, frames=frames, clean=rng.random() < 0.6)  # noqa: PLR2004 - OK


def _frame(rng: random.Random) -> Frame:
    kind = rng.choice(_KINDS)
    if kind in {Kind.COMPLETED, Kind.FAILED} and rng.random() < 0.7:  # noqa: PLR2004 - mostly later
        kind = Kind.LOG
    if kind is Kind.COMMENT:
        return Frame(kind)
    identified = kind is Kind.ID_ONLY or rng.random() < 0.7  # noqa: PLR2004 - most frames
    return Frame(kind, rng.choice(_IDS) if identified else None)


def as_case(
    name: str, schedule: Schedule, known: Mapping[str, Requirement], rule: str = ""
) -> Case:
    """Return `schedule` as a case that expects what the oracle predicts.

    `rule` is the rule that the case tests; empty for the default rules.
    """
    words = _words(name, schedule, predict(schedule))
    if rule:
        expect = Table("case", words).table("expect").values
        cites: Mapping[str, Json] = {key: [rule] for key in _CITES}
        words = {**words, "requires": [rule], "expect": {**expect, "cites": cites}}
    return read_case("explore", words, known)


def _words(name: str, schedule: Schedule, expected: Prediction) -> Mapping[str, Json]:
    config: dict[str, Json] = {
        "initial_ms": INITIAL_MS,
        "max_ms": MAX_MS,
        "max_attempts": schedule.max_attempts,
        "rng": [0.5],
    }
    if schedule.trigger is not None:
        trigger = schedule.trigger
        config[trigger.does] = {"callback": trigger.callback, "nth": trigger.nth}
    return {
        "id": f"explore.{name}",
        "requires": list(_REQUIRES),
        "profiles": [schedule.profile],
        "needs": list(NEEDS),
        "why": "A random schedule; the case expects what the oracle predicts.",
        "config": config,
        "server": {
            "stream": [_answer(attempt) for attempt in schedule.attempts],
            "scenario": {"rule": [_job_rule(schedule.job)]},
        },
        "step": [{"do": "wait"}],
        "expect": {
            "requests": {
                "create": 1,
                "stream": len(expected.cursors),
                "cancel": expected.cancels,
                "job": expected.questions,
            },
            "last_event_ids": [cursor or False for cursor in expected.cursors],
            "sleeps": list(expected.sleeps),
            "callbacks": list(expected.callbacks),
            "result": {"wait": expected.result},
            "cites": _CITES,
        },
    }


def _job_rule(status: str) -> Mapping[str, Json]:
    job: dict[str, Json] = {
        "id": "{job}",
        "orgId": "org-1",
        "projectId": "project-1",
        "name": "{name}",
        "status": status,
        "config": {"model": "kit/model"},
        "createdAt": "2026-05-01T00:00:00Z",
        "startedAt": "2026-05-01T00:00:01Z",
    }
    if status != "running":
        job["completedAt"] = "2026-05-01T00:00:02Z"
    if status == "failed":
        job["error"] = "it failed"
    return {"on": {"route": "job"}, "json": {"job": job}}


def _answer(attempt: Attempt) -> Mapping[str, Json]:
    if attempt.status != 200:  # noqa: PLR2004 - the one that opens
        return {"status": attempt.status, "json": {"error": "the schedule asks for this error"}}
    frames = [_frame_words(frame) for frame in attempt.frames]
    return {"frames": frames, "end": "eof" if attempt.clean else "bad_chunk"}


# Data that `json` in a scenario cannot express.
_DATA: Final[Mapping[Kind, str]] = {
    Kind.MALFORMED: "not json",
    Kind.NAN: '{"type": "training.completed", "metrics": {"loss": NaN}}',
    Kind.NOT_AN_OBJECT: '[{"type": "training.completed"}]',
    Kind.BEYOND: '{"type": "training.log", "step": 1, "loss": 1e999}',
}


def _frame_words(frame: Frame) -> Mapping[str, Json]:
    own: dict[str, Json] = {} if frame.id is None else {"id": frame.id}
    match frame.kind:
        case Kind.PING:
            return {**own, "event": "ping", "data": "{}"}
        case Kind.END:
            return {**own, "event": "end", "data": "{}"}
        case Kind.COMMENT:
            return {"comment": "still here"}
        case Kind.ID_ONLY:
            return {"raw": f"id: {frame.id}\n\n"}
        case kind if kind in _DATA:
            return {**own, "event": "training.log", "data": _DATA[kind]}
        case kind:
            return {**own, "event": kind.value, "json": {"type": kind.value, **_JSON[kind]}}


def smaller(schedule: Schedule) -> Iterator[Schedule]:
    """Yield schedules that are one step simpler, with the biggest simplifications first."""
    attempts = schedule.attempts
    if schedule.trigger is not None:
        yield evolve(schedule, trigger=None)
    if schedule.job != "running":
        yield evolve(schedule, job="running")
    for n in range(len(attempts) - 1):
        yield evolve(schedule, attempts=attempts[:n] + attempts[n + 1 :])
    for n, attempt in enumerate(attempts[:-1]):
        for m in range(len(attempt.frames)):
            fewer = evolve(attempt, frames=attempt.frames[:m] + attempt.frames[m + 1 :])
            yield evolve(schedule, attempts=(*attempts[:n], fewer, *attempts[n + 1 :]))
    for limit in range(schedule.max_attempts):
        yield evolve(schedule, max_attempts=limit)
    yield from _plainer(schedule)


def _plainer(schedule: Schedule) -> Iterator[Schedule]:
    """Yield schedules of the same length in which one part is replaced by a simpler one."""
    attempts = schedule.attempts
    for n, attempt in enumerate(attempts[:-1]):
        if attempt != _REFUSED:
            yield evolve(schedule, attempts=(*attempts[:n], _REFUSED, *attempts[n + 1 :]))
        if not attempt.clean:
            clean = evolve(attempt, clean=True)
            yield evolve(schedule, attempts=(*attempts[:n], clean, *attempts[n + 1 :]))
    for n, attempt in enumerate(attempts[:-1]):
        for m, frame in enumerate(attempt.frames):
            for simpler in _simpler(frame):
                frames = (*attempt.frames[:m], simpler, *attempt.frames[m + 1 :])
                changed = evolve(attempt, frames=frames)
                yield evolve(schedule, attempts=(*attempts[:n], changed, *attempts[n + 1 :]))


def _simpler(frame: Frame) -> Iterator[Frame]:
    """Yield copies of a frame that have a simpler kind (a log or malformed data) or a plain id.

    If a case still fails with such a copy, the failure does not depend on what was replaced.
    """
    if frame.kind is not Kind.LOG:
        yield evolve(frame, kind=Kind.LOG)
    if frame.kind in {Kind.NAN, Kind.NOT_AN_OBJECT}:
        yield evolve(frame, kind=Kind.MALFORMED)
    if frame.id in _ODD_IDS:
        yield evolve(frame, id=_ODD_IDS[frame.id])


def case_file(case: Case, about: str = _ABOUT) -> str:
    """Return a case as the text of a case file, with the layout of a handwritten one."""
    words = Table("case", case.source)
    plain = [
        f"{key} = {toml_value(value)}" for key, value in words.values.items() if key not in _TABLES
    ]
    tables = [("[config]", words.table("config"))] if "config" in words.values else []
    tables += _server(words.table("server"))
    tables += [("[[step]]", each) for each in words.tables("step")]
    tables += [("[expect]", words.table("expect"))]
    sections = [[head, *_keys(table)] for head, table in tables]
    return "\n\n".join("\n".join(each) for each in [[about], plain, *sections]) + "\n"


def _server(server: Table) -> Iterator[tuple[str, Table]]:
    for route in server.values:
        if route != "scenario":
            yield from ((f"[[server.{route}]]", each) for each in server.tables(route))
    if "scenario" in server.values:
        scenario = server.table("scenario")
        for name in scenario.values:
            yield from ((f"[[server.scenario.{name}]]", each) for each in scenario.tables(name))


def _keys(table: Table) -> Iterator[str]:
    for key, value in table.values.items():
        if key == "cites":
            for name, each in table.table(key).values.items():
                yield f"cites.{name} = {toml_value(each)}"
        else:
            yield f"{key} = {toml_value(value)}"
