"""Mutants that mishandle JSON: `NaN`, extreme values, deep nesting, or unexpected types."""

# ruff: noqa: D401

import contextlib
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from attrs import evolve

from arkor_proto import (
    Input,
    Operation,
    Outcome,
    Rejected,
    ResponseError,
    StatusError,
    TrainingEvent,
    TrainingJob,
    TrainingResult,
    encode_event_data,
)
from arkor_proto.transports.anyio import Checkpoint
from conformance.drivers.python import translation
from conformance.drivers.python.stdio import Desk
from conformance.mutants.around import Call, Client
from conformance.mutants.dialect import Block, as_malformed, misread, reject_at
from conformance.mutants.filters import after_inputs, change_bodies, change_outcomes, change_results
from conformance.mutants.patching import ByObject, Stream, breaks, replace

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
    {
        *("step", "loss", "evalLoss", "learningRate", "epoch", "samplesPerSecond"),
        *("metadata", "artifacts", "metrics", "error", "jobId", "timestamp"),
    }
)


def _reads(read: Callable[[str], str]) -> None:
    """Pass event data through `read` before parsing it; a ValueError makes the frame malformed."""

    def change(block: Block) -> Block:
        if block.is_control:
            return block
        try:
            return evolve(block, data=read(block.data or ""))
        except ValueError:
            return as_malformed(block)

    misread(change)


def _dislikes(wrong: Callable[[Mapping[str, object], TrainingEvent], bool]) -> None:
    """Skip the events for which `wrong` returns true."""

    def change(block: Block) -> Block:
        event = block.event
        return as_malformed(block) if event and wrong(block.content or {}, event) else block

    misread(change)


def _is_deep(body: bytes) -> bool:
    return body.count(b"[") + body.count(b"{") > _DEPTH


@breaks("ARK-EVT-20")
def takes_nan_for_a_value() -> None:
    """The client accepts `NaN` and `Infinity` in JSON and reads them as null."""

    def read(text: str) -> str:
        strange = "NaN" in text or "Infinity" in text
        return json.dumps(json.loads(text, parse_constant=lambda _: None)) if strange else text

    _reads(read)


@breaks("ARK-EVT-20")
def looks_for_nan_in_strings() -> None:
    """The client treats a frame as malformed if `NaN` appears anywhere in it, even in a string."""

    def read(text: str) -> str:
        if "NaN" in text or "Infinity" in text:
            raise ValueError("NaN is not JSON")
        return text

    _reads(read)


@breaks("ARK-EVT-21", follows=("ARK-STR-2",))
def skips_events_with_a_wrong_member() -> None:
    """The client treats a frame as malformed if a known member has an unexpected type."""
    _dislikes(lambda _, event: bool(_KNOWN & set(event.extra)))


@breaks("ARK-EVT-21", follows=("ARK-EVT-1", "ARK-STR-2"))
def insists_on_members() -> None:
    """The client treats a frame as malformed if an expected member is missing or null."""

    def wrong(source: Mapping[str, object], _: TrainingEvent) -> bool:
        return any(source.get(name) is None for name in _REQUIRED[str(source["type"])])

    _dislikes(wrong)


@breaks("ARK-EVT-21")
def hands_on_members_as_they_came() -> None:
    """If a member has an unexpected type, the callback gets its value unchanged, not None."""
    original = translation.event_data

    def event_data(event: TrainingEvent | Checkpoint) -> Mapping[str, object]:
        data = original(event)
        bare = event.saved if isinstance(event, Checkpoint) else event
        return {**data, **encode_event_data(bare)}

    replace(translation, "event_data", event_data)


@breaks("ARK-EVT-21", "ARK-EVT-10")
def leaves_out_what_is_null() -> None:
    """The callback gets an event without the members that should be None."""
    original = Desk.heard

    async def heard(desk: Desk, name: str, data: Mapping[str, object]) -> None:
        await original(desk, name, {k: v for k, v in data.items() if v is not None})

    replace(Desk, "heard", heard)


@breaks("ARK-EVT-21")
def wants_a_reason_for_a_failure() -> None:
    """The client skips a `training.failed` event whose error is not a string."""
    _dislikes(
        lambda source, _: (
            source["type"] == "training.failed" and not isinstance(source.get("error"), str)
        )
    )


@breaks("ARK-EVT-22")
def chokes_on_long_integers() -> None:
    """The client treats a frame as malformed if an integer is too long for its JSON parser."""

    def read(text: str) -> str:
        with contextlib.suppress(RecursionError):
            json.loads(text)
        return text

    _reads(read)


def _change_numbers(text: str, change: Callable[[float], float]) -> str:
    """Return the JSON text with `change` applied to each number out of range for a double."""
    found = list[float]()

    def number(digits: str) -> float:
        value = float(digits)
        found.append(value)
        return value if math.isfinite(value) else change(value)

    try:
        value: object = json.loads(text, parse_int=number, parse_float=number)
    except RecursionError:
        return text
    return text if all(map(math.isfinite, found)) else json.dumps(value)


@breaks("ARK-EVT-22")
def refuses_numbers_beyond_a_double() -> None:
    """The client treats a frame as malformed if a number is out of range for a double."""

    def refuse(_: float) -> NoReturn:
        raise ValueError("a number is out of range")

    _reads(lambda text: _change_numbers(text, refuse))


@breaks("ARK-EVT-22")
def cuts_numbers_to_the_largest() -> None:
    """The client replaces a number that is out of range for a double with the largest double."""
    _reads(lambda text: _change_numbers(text, lambda value: math.copysign(_MOST, value)))


@breaks("ARK-EVT-23")
def refuses_lone_surrogates() -> None:
    """The client treats a JSON text with a lone surrogate as malformed."""

    def read(text: str) -> str:
        with contextlib.suppress(RecursionError):
            if _SURROGATE.search(json.dumps(json.loads(text), ensure_ascii=False)):
                raise ValueError("the text has a lone surrogate")
        return text

    def body(_: Client, __: object, body: bytes) -> bytes:
        try:
            return read(body.decode()).encode()
        except ValueError:
            return b"?"

    _reads(read)
    change_bodies(Call.CREATE, body)


@breaks("ARK-EVT-24")
def keeps_an_old_error() -> None:
    """The result of a completed job keeps the error of an earlier failure."""
    before = ByObject[TrainingJob]()

    def note(client: Client, _: Input) -> None:
        over = client.stream in {Stream.CONCLUDING, Stream.CONCLUDED}
        if client.session.job is not None and not over:
            before[client] = client.session.job

    def change(client: Client, result: TrainingResult) -> TrainingResult:
        job, old = result.job, before[client]
        kept = evolve(job, error=old.error, extra=old.extra) if job.status == "completed" else job
        return evolve(result, job=kept)

    after_inputs(note)
    change_results(change)


@breaks("ARK-SEC-10")
def forgets_the_status_of_a_deep_refusal() -> None:
    """If an error response is deeply nested, the client reports a bad response but no status."""

    def change(client: Client, _: Operation, outcome: Outcome) -> Outcome:
        refused = isinstance(outcome, Rejected) and isinstance(outcome.error, StatusError)
        deep = any(_is_deep(bytes(exchange.body)) for exchange in client.sent.values())
        return Rejected(ResponseError("unreadable response")) if refused and deep else outcome

    change_outcomes(change)


@breaks("ARK-SEC-10", "ARK-ERR-10")
def hangs_on_a_deep_answer() -> None:
    """If the create response is nested too deeply, `start()` never settles."""

    def change(client: Client, _: Operation, outcome: Outcome) -> Outcome | None:
        create = client.sent.get(Call.CREATE)
        return None if create is not None and _is_deep(bytes(create.body)) else outcome

    change_outcomes(change)


@breaks("ARK-SEC-10")
def dies_of_a_deep_frame() -> None:
    """`wait()` rejects with the JSON parser's recursion error on a deeply nested frame."""

    def reason(_: Client, block: Block) -> Exception | None:
        deep = _is_deep((block.data or "").encode())
        return RecursionError("maximum recursion depth exceeded") if deep else None

    reject_at(reason)
