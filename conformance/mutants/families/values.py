"""Mutants of what JSON means: its dialect, its limits, and members of other types than expected."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from attrs import evolve

from arkor_proto import _dialect, _json, _reader, _wait, encode_event_data
from arkor_proto._dialect import bounded, decode_json
from arkor_proto._errors import ResponseError, StatusError
from arkor_proto._exchange import Answer, Outbox
from arkor_proto._json import camel, decode_event
from arkor_proto._reader import after
from arkor_proto._session import Session
from arkor_proto._types import TrainingCompleted, TrainingEvent, TrainingJob
from arkor_proto._walk import JsonObject
from arkor_proto.transports.anyio import Checkpoint
from conformance.drivers.python import translation
from conformance.drivers.python.stdio import Desk
from conformance.mutants.patching import breaks, decode_events, replace

_MOST: Final = 1.7976931348623157e308
_DEPTH: Final = 500
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_REQUIRED: Final = {
    "training.started": ("metadata",),
    "training.log": ("step",),
    "checkpoint.saved": ("step", "artifacts"),
    "training.completed": ("metrics",),
    "training.failed": ("error",),
}
_KNOWN: Final = frozenset(
    camel(name)
    for name in (
        *("step", "loss", "eval_loss", "learning_rate", "epoch", "samples_per_second"),
        *("metadata", "artifacts", "metrics", "error", "job_id", "timestamp"),
    )
)


def _decode_frames(decode: Callable[[str], object]) -> None:
    replace(_reader, "decode_json", decode)


def _misread_events(check: Callable[[JsonObject, TrainingEvent], None]) -> None:
    """Let `check` raise ValueError for an event that it does not like: it is then skipped."""

    def decode(source: JsonObject) -> TrainingEvent | None:
        event = decode_event(source)
        if event is not None:
            check(source, event)
        return event

    decode_events(decode)


def _is_deep(body: bytes) -> bool:
    return body.count(b"[") + body.count(b"{") > _DEPTH


@breaks("ARK-EVT-20")
def takes_nan_for_a_value() -> None:
    """`NaN` and `Infinity` are read, as numbers that are not there."""
    _decode_frames(lambda text: json.loads(text, parse_constant=lambda _: None))


@breaks("ARK-EVT-20")
def looks_for_nan_in_strings() -> None:
    """A frame with the word `NaN` anywhere is taken to be malformed."""

    def decode(text: str) -> object:
        if "NaN" in text or "Infinity" in text:
            raise ValueError("NaN is not JSON")
        return decode_json(text)

    _decode_frames(decode)


@breaks("ARK-EVT-21")
def skips_events_with_a_wrong_member() -> None:
    """A frame with a known member of another type is taken to be malformed."""

    def check(_: JsonObject, event: TrainingEvent) -> None:
        if _KNOWN & set(event.extra):
            raise ValueError("a member has another type")

    _misread_events(check)


@breaks("ARK-EVT-21")
def insists_on_members() -> None:
    """A frame that lacks a member of its type, or has it as null, is taken to be malformed."""

    def check(source: JsonObject, _: TrainingEvent) -> None:
        kind = source["type"]
        needed = _REQUIRED[kind] if isinstance(kind, str) else ()
        if any(source.get(name) is None for name in needed):
            raise ValueError("a member is missing")

    _misread_events(check)


@breaks("ARK-EVT-21")
def hands_on_members_as_they_came() -> None:
    """A member of another type reaches the callback as it is."""
    original = translation.event_data

    def event_data(event: TrainingEvent | Checkpoint) -> Mapping[str, object]:
        data = original(event)
        bare = event.saved if isinstance(event, Checkpoint) else event
        return {**data, **encode_event_data(bare)}

    replace(translation, "event_data", event_data)


@breaks("ARK-EVT-21", "ARK-EVT-10")
def leaves_out_what_is_null() -> None:
    """What a frame lacks is not there, in the callback either."""
    original = Desk.heard

    async def heard(desk: Desk, name: str, data: Mapping[str, object]) -> None:
        await original(desk, name, {k: v for k, v in data.items() if v is not None})

    replace(Desk, "heard", heard)


@breaks("ARK-EVT-21")
def wants_a_reason_for_a_failure() -> None:
    """A failed job without a text of an error is not over."""

    def check(source: JsonObject, _: TrainingEvent) -> None:
        if source["type"] == "training.failed" and not isinstance(source.get("error"), str):
            raise ValueError("no error is given")

    _misread_events(check)


@breaks("ARK-EVT-22")
def chokes_on_long_integers() -> None:
    """An integer of more digits than the language converts is taken to be malformed."""

    def decode(text: str) -> object:
        return _dialect._DECODER.decode(text)

    _decode_frames(decode)


@breaks("ARK-EVT-22")
def refuses_numbers_beyond_a_double() -> None:
    """A frame with a number that no double can hold is taken to be malformed."""

    def check(source: JsonObject, _: TrainingEvent) -> None:
        if json.dumps(source) != json.dumps(bounded(source)):
            raise ValueError("a number is out of range")

    def decode(text: str) -> object:
        return json.loads(text, parse_int=float)

    _decode_frames(decode)
    _misread_events(check)


@breaks("ARK-EVT-22")
def cuts_numbers_to_the_largest() -> None:
    """A number beyond the range of a double becomes the largest that there is."""

    def in_range(name: str, value: object) -> object:
        found = original(name, value)
        return _MOST if found is None and value is not None else found

    original = _dialect._in_range
    replace(_dialect, "_in_range", in_range)
    patient = json.JSONDecoder(parse_int=float)
    replace(_dialect, "_PATIENT", patient)


@breaks("ARK-EVT-23")
def refuses_lone_surrogates() -> None:
    """A text with half a surrogate pair is taken to be malformed."""

    def decode(text: str) -> object:
        value = decode_json(text)
        if _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
            raise ValueError("a surrogate is alone")
        return value

    _decode_frames(decode)
    replace(_json, "decode_json", decode)


@breaks("ARK-EVT-24")
def keeps_an_old_error() -> None:
    """A completed job keeps the error that it had before."""

    def after_event(job: TrainingJob, event: TrainingEvent) -> TrainingJob:
        known = after(job, event)
        if isinstance(event, TrainingCompleted):
            return evolve(known, error=job.error, extra=job.extra)
        return known

    replace(_wait, "after", after_event)


@breaks("ARK-SEC-10")
def forgets_the_status_of_a_deep_refusal() -> None:
    """A refusal that cannot be read is an answer that makes no sense."""
    original = Outbox.status_error

    def status_error(outbox: Outbox, answer: Answer) -> StatusError | ResponseError:
        if _is_deep(answer.body):
            return ResponseError("the answer cannot be read")
        return original(outbox, answer)

    replace(Outbox, "status_error", status_error)


@breaks("ARK-SEC-10", "ARK-ERR-10")
def hangs_on_a_deep_answer() -> None:
    """A create answered with what is nested too deeply never settles."""
    original = Session._created

    def created(session: Session, answer: Answer) -> None:
        if not _is_deep(answer.body):
            original(session, answer)

    replace(Session, "_created", created)


@breaks("ARK-SEC-10")
def dies_of_a_deep_frame() -> None:
    """The error of a parser that went too deep ends the wait."""

    def too_deep(error: Exception) -> NoReturn:
        raise RecursionError("maximum recursion depth exceeded") from error

    def decode(text: str) -> object:
        try:
            return decode_json(text)
        except ValueError as error:
            if _is_deep(text.encode()):
                too_deep(error)
            raise

    _decode_frames(decode)
