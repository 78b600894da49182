"""Mutants of opening the stream, and of what ends the wait with a result."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

import gzip
from collections.abc import Callable

from attrs import evolve

from arkor_proto import _wait, _wire
from arkor_proto._errors import ArkorError, ResponseError
from arkor_proto._exchange import Outbox, Pending
from arkor_proto._messages import Follow, Input, Operation, Outcome, Rejected, Resolved
from arkor_proto._profile import HARDENED
from arkor_proto._reader import Control, Meaning
from arkor_proto._session import Session
from arkor_proto._table import Stream, StreamSignal
from arkor_proto._types import Headers, TrainingCompleted, TrainingFailed
from arkor_proto._wait import Wait
from arkor_proto._wire import header, header_members, stream_request
from conformance.mutants.patching import (
    breaks,
    change_profiles,
    hear_the_present_stream_alone,
    replace,
)

_PLAIN = ("2026-05", "2026-07")
_SUCCESS = frozenset(range(200, 300))


@breaks("ARK-STR-15")
def waits_before_the_first_open() -> None:
    """The first open comes after the base delay."""
    original = Wait.open

    def opened(wait: Wait) -> None:
        if wait._due == 0.0 and wait.job is not None:
            wait._due = (wait.accepted_at or 0.0) + 1.0
            wait.machines.stream = Stream.BACKING_OFF
        else:
            original(wait)

    replace(Wait, "open", opened)


@breaks("ARK-STR-1")
def never_opens_the_stream() -> None:
    """`wait()` rejects once the job is known."""

    def opened(wait: Wait) -> None:
        wait.outbox.settle(Operation.FOLLOW, Rejected(ArkorError("it does not follow jobs")))

    replace(Wait, "open", opened)


def _conclude_at_end(*, clean: bool) -> None:
    original = Wait._drained

    def drained(wait: Wait, now: float) -> None:
        ended = wait._ended and (wait._ending is None) is clean
        if ended and wait.machines.stream is Stream.STREAMING:
            wait._act_on(Control.END, now)
        else:
            original(wait, now)

    replace(Wait, "_drained", drained)


@breaks("ARK-STR-4")
def takes_the_end_of_the_stream_for_the_result() -> None:
    """A clean end of the stream resolves the wait."""
    _conclude_at_end(clean=True)


@breaks("ARK-STR-4")
def takes_a_break_for_the_result() -> None:
    """A broken stream resolves the wait."""
    _conclude_at_end(clean=False)


@breaks("ARK-STR-3")
def rejects_when_the_job_failed() -> None:
    """A failed job rejects the wait."""
    original = Outbox.settle

    def settle(outbox: Outbox, operation: Operation, outcome: Outcome) -> None:
        failed = isinstance(outcome, Resolved) and outcome.result.job.status == "failed"
        original(outbox, operation, Rejected(ArkorError("it failed")) if failed else outcome)

    replace(Outbox, "settle", settle)


@breaks("ARK-STR-3", follows=("ARK-EVT-21", "ARK-EVT-23"))
def does_not_take_a_failure_for_the_end() -> None:
    """`training.failed` is an event like any other; the wait goes on."""
    original = Wait._act_on

    def act_on(wait: Wait, meaning: Meaning, now: float) -> None:
        if isinstance(meaning, TrainingFailed):
            wait._deliver(StreamSignal.FRAME, meaning, now)
        else:
            original(wait, meaning, now)

    replace(Wait, "_act_on", act_on)


@breaks("ARK-STR-16")
def forgets_the_error_of_a_failed_job() -> None:
    """The result's job says that it failed, and not why."""
    original = Wait._keep_result

    def keep_result(wait: Wait, last: TrainingCompleted | None) -> None:
        wait.job = evolve(wait._known_job, error=None)
        original(wait, last)

    replace(Wait, "_keep_result", keep_result)


@breaks("ARK-STR-2")
def forgets_the_status_of_a_completed_job() -> None:
    """The result's job is still running."""
    original = Wait._keep_result

    def keep_result(wait: Wait, last: TrainingCompleted | None) -> None:
        wait.job = evolve(wait._known_job, status="running")
        original(wait, last)

    replace(Wait, "_keep_result", keep_result)


@breaks("ARK-STR-5")
def streams_again_after_the_result() -> None:
    """A `wait()` after the result opens the stream once more."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        if isinstance(event, Follow) and session._machines.stream is Stream.CONCLUDED:
            session._machines.stream = Stream.IDLE
            session._wait.reader.cursor = ""
        original(session, event, now)

    replace(Session, "handle", handle)


@breaks("ARK-STR-6")
def opens_a_stream_for_every_wait() -> None:
    """Two waits that overlap open two streams."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        job = session._wait.job
        if isinstance(event, Follow) and session._machines.stream is Stream.STREAMING and job:
            request = stream_request(session._config.endpoint, job.id, "")
            session._outbox.send(Operation.FOLLOW, request)
        original(session, event, now)

    replace(Session, "handle", handle)
    hear_the_present_stream_alone()


@breaks("ARK-STR-7")
def leaves_the_connection_open() -> None:
    """After the terminal frame the connection stays until the backend ends it."""
    original = Outbox.close

    def close(outbox: Outbox, pending: Pending | None) -> None:
        if pending is None or pending.operation is not Operation.FOLLOW:
            original(outbox, pending)

    replace(Outbox, "close", close)


@breaks("ARK-STR-8")
def is_strict_about_the_content_type() -> None:
    """Only `text/event-stream` is read, where anything should be."""
    change_profiles(lambda p: evolve(p, requires_event_stream=True), *_PLAIN)


@breaks("ARK-STR-8")
def is_strict_about_200() -> None:
    """Only a 200 is read, where any 2xx should be."""
    change_profiles(lambda p: evolve(p, stream_statuses=HARDENED.stream_statuses), *_PLAIN)


@breaks("ARK-STR-9", "ARK-STR-11")
def reads_any_2xx() -> None:
    """Any 2xx is read as a stream, where only a 200 may be."""
    change_profiles(lambda p: evolve(p, stream_statuses=_SUCCESS), "hardened")


@breaks("ARK-STR-10")
def reads_any_content_type() -> None:
    """A page of HTML is read as a stream."""
    change_profiles(lambda p: evolve(p, requires_event_stream=False), "hardened")


@breaks("ARK-STR-11")
def retries_a_204() -> None:
    """A 204 is retried, though it says that there is nothing to come."""
    change_profiles(
        lambda p: evolve(p, permanent_statuses=p.permanent_statuses - {204}), "hardened"
    )


def _uncoded(pending: Pending) -> Headers:
    """Return the headers of an answer without its coding."""
    return tuple(pair for pair in pending.headers if pair[0].lower() != b"content-encoding")


@breaks("ARK-STR-12")
def reads_compressed_bytes() -> None:
    """Compressed bytes are parsed as they are."""
    original = Wait._not_a_stream

    def not_a_stream(wait: Wait, pending: Pending) -> ResponseError | None:
        return original(wait, evolve(pending, headers=_uncoded(pending)))

    replace(Wait, "_not_a_stream", not_a_stream)


@breaks("ARK-STR-10")
def compares_the_whole_content_type() -> None:
    """Another spelling of `text/event-stream`, or a parameter behind it, is another type."""
    original = Wait._not_a_stream

    def not_a_stream(wait: Wait, pending: Pending) -> ResponseError | None:
        media = header(pending.headers, b"content-type")
        if wait.profile.requires_event_stream and media != "text/event-stream":
            return ResponseError(f"media type {media!r}")
        return original(wait, pending)

    replace(Wait, "_not_a_stream", not_a_stream)


@breaks("ARK-STR-12")
def inflates_what_is_compressed() -> None:
    """Compressed bytes are inflated, though nobody has asked for them."""
    judge_originally, receive_originally = Wait._not_a_stream, Wait._received

    def not_a_stream(wait: Wait, pending: Pending) -> ResponseError | None:
        return judge_originally(wait, evolve(pending, headers=_uncoded(pending)))

    def received(wait: Wait, pending: Pending, data: bytes, now: float) -> None:
        whole = data.startswith(b"\x1f\x8b")
        receive_originally(wait, pending, gzip.decompress(data) if whole else data, now)

    replace(Wait, "_not_a_stream", not_a_stream)
    replace(Wait, "_received", received)


def _minds_codings(foreign: Callable[[Headers], tuple[str, ...]]) -> None:
    def problem(headers: Headers) -> str:
        return ", ".join(foreign(headers))

    replace(_wait, "coding_problem", problem)


@breaks("ARK-STR-12")
def looks_at_the_first_coding() -> None:
    """Of several content codings the first one counts."""

    def foreign(headers: Headers) -> tuple[str, ...]:
        return tuple(c for c in header_members(headers, b"content-encoding")[:1] if c != "identity")

    _minds_codings(foreign)


@breaks("ARK-STR-12")
def knows_few_codings() -> None:
    """A content coding that the client does not know is taken for none."""

    def foreign(headers: Headers) -> tuple[str, ...]:
        return tuple(c for c in header_members(headers, b"content-encoding") if c == "gzip")

    _minds_codings(foreign)


@breaks("ARK-STR-12")
def minds_any_coding() -> None:
    """An answer that names a content coding at all is a failure, `identity` too."""

    def foreign(headers: Headers) -> tuple[str, ...]:
        return tuple("x" for name, _ in headers if name.lower() == b"content-encoding")

    _minds_codings(foreign)


def _by_types(judge: Callable[[tuple[str, ...]], bool]) -> None:
    def is_stream(headers: Headers) -> bool:
        types = header_members(headers, b"content-type")
        return judge(tuple(each.partition(";")[0].strip().lower() for each in types))

    replace(_wait, "is_event_stream", is_stream)


@breaks("ARK-STR-10")
def looks_at_the_first_type() -> None:
    """Of several media types the first one counts."""
    _by_types(lambda types: types[:1] == ("text/event-stream",))


@breaks("ARK-STR-10")
def looks_at_the_last_type() -> None:
    """Of several media types the last one counts."""
    _by_types(lambda types: types[-1:] == ("text/event-stream",))


@breaks("ARK-STR-10")
def minds_a_repeated_type() -> None:
    """An answer that names its media type twice is a failure."""
    original = _wire.is_event_stream

    def is_stream(headers: Headers) -> bool:
        return original(headers) and len(header_members(headers, b"content-type")) == 1

    replace(_wait, "is_event_stream", is_stream)


@breaks("ARK-STR-10")
def takes_no_type_for_the_right_one() -> None:
    """An answer with an empty media type is read."""
    _by_types(lambda types: set(types) <= {"text/event-stream"})


@breaks("ARK-STR-10")
def takes_a_beginning_for_a_type() -> None:
    """A media type that only begins like the right one is read."""
    _by_types(lambda types: all(t.startswith("text/event-stream") for t in types))
