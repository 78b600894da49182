"""Mutants that open, read or close streams incorrectly, or settle `wait()` incorrectly."""

# ruff: noqa: D401

import gzip
import json
from collections.abc import Callable, Iterable

from attrs import evolve

from arkor_proto import (
    HARDENED,
    Abort,
    ArkorError,
    Broken,
    Close,
    Deliver,
    Done,
    Finished,
    Follow,
    Headers,
    Idle,
    Input,
    Leave,
    Operation,
    Outcome,
    Output,
    Rejected,
    Request,
    Resolved,
    Responded,
    Send,
    Tick,
    Timer,
    TrainingJob,
    TrainingLog,
)
from conformance.mutants.around import Call, Client, call_of
from conformance.mutants.dialect import Block, change_chunks, misread
from conformance.mutants.filters import (
    as_no_stream,
    change_bytes,
    change_heads,
    change_outcomes,
    change_results,
    drop_outputs,
    edit_requests,
    filter_inputs,
    filter_outputs,
    with_field,
)
from conformance.mutants.patching import (
    WHERE_FAILURES_COUNT,
    ByObject,
    Move,
    Stream,
    StreamSignal,
    breaks,
    change_profiles,
    header,
    members,
    set_cell,
    without,
)

_PLAIN = ("2026-05", "2026-07")
_SUCCESS = frozenset(range(200, 300))


@breaks("ARK-STR-15", follows=WHERE_FAILURES_COUNT)
def waits_before_the_first_open() -> None:
    """The client waits for the base delay before it opens the stream for the first time."""
    held, due = ByObject[Output](), ByObject[float]()

    def hold(client: Client, output: Output) -> Iterable[Output]:
        first = client not in due and isinstance(output, Send)
        if first and isinstance(output, Send) and call_of(output.request) is Call.STREAM:
            held[client], due[client] = output, client.now + 1.0
        elif client in held and isinstance(output, Idle | Done):
            yield Idle(due[client], Timer.RECONNECT)
        else:
            yield output

    def change(client: Client, event: Input) -> Iterable[Input]:
        yield event
        if isinstance(event, Abort | Leave):
            held.pop(client, None)
        if isinstance(event, Tick) and client in held and client.now >= due[client]:
            client.outputs.append(held.pop(client))

    filter_outputs(hold)
    filter_inputs(change)


# To the kit, a client that cannot read the create response looks the same.
@breaks("ARK-STR-1", follows=("ARK-CRE-1",))
def never_opens_the_stream() -> None:
    """`wait()` rejects once the job is created, without opening the stream."""

    def change(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Send) and call_of(output.request) is Call.STREAM:
            client.reject(ArkorError("this client does not open streams"))
        else:
            yield output

    filter_outputs(change)


def _conclude_at_end(kind: type[Finished | Broken]) -> None:
    end = Block(data="{}", name="end").bytes
    change_chunks(
        lambda _, __, blocks: blocks,
        lambda _, held, event: end if isinstance(event, kind) else held,
    )


@breaks("ARK-STR-4")
def takes_the_end_of_the_stream_for_the_result() -> None:
    """`wait()` resolves when the stream ends cleanly without a terminal frame."""
    _conclude_at_end(Finished)


@breaks("ARK-STR-4")
def takes_a_break_for_the_result() -> None:
    """`wait()` resolves when the stream breaks."""
    _conclude_at_end(Broken)


@breaks("ARK-STR-3")
def rejects_when_the_job_failed() -> None:
    """`wait()` rejects if the job failed, instead of resolving with the failed job."""

    def change(_: Client, __: Operation, outcome: Outcome) -> Outcome:
        failed = isinstance(outcome, Resolved) and outcome.result.job.status == "failed"
        return Rejected(ArkorError("the job failed")) if failed else outcome

    change_outcomes(change)


@breaks("ARK-STR-3", follows=("ARK-EVT-21", "ARK-EVT-23"))
def does_not_take_a_failure_for_the_end() -> None:
    """The client does not treat `training.failed` as terminal, so `wait()` keeps waiting."""

    def hide(block: Block) -> Block:
        if block.kind != "training.failed":
            return block
        return evolve(block, data=json.dumps({"type": "training.log", "was": block.data}))

    def show(_: Client, output: Output) -> Iterable[Output]:
        heard = output.event if isinstance(output, Deliver) else None
        was = heard.extra.get("was") if isinstance(heard, TrainingLog) else None
        event = Block(data=was).event if isinstance(was, str) else None
        if isinstance(output, Deliver) and event is not None:
            yield evolve(output, event=event)
        else:
            yield output

    misread(hide)
    filter_outputs(show)


def _change_jobs(change: Callable[[TrainingJob], TrainingJob]) -> None:
    change_results(lambda _, result: evolve(result, job=change(result.job)))


@breaks("ARK-STR-16")
def forgets_the_error_of_a_failed_job() -> None:
    """The result of a failed job has no error."""
    _change_jobs(lambda job: evolve(job, error=None))


@breaks("ARK-STR-2", follows=("ARK-STR-3", "ARK-WIR-16"))
def forgets_the_status_of_a_completed_job() -> None:
    """The result of a completed job has the status `running`."""
    _change_jobs(lambda job: evolve(job, status="running"))


@breaks("ARK-STR-5")
def streams_again_after_the_result() -> None:
    """`wait()` opens the stream again although the result is already known."""
    over = ByObject[bool]()

    def note(client: Client, _: Operation, outcome: Outcome) -> Outcome:
        over[client] = over.get(client, False) or isinstance(outcome, Resolved)
        return outcome

    def edit(client: Client, request: Request) -> Request:
        return without(request, b"last-event-id") if over.get(client) else request

    set_cell(Stream.CONCLUDED, StreamSignal.FOLLOW, Move(Stream.AWAITING_JOB))
    change_outcomes(note)
    edit_requests(edit, Call.STREAM)


@breaks("ARK-STR-6")
def opens_a_stream_for_every_wait() -> None:
    """Two overlapping `wait()` calls open two streams."""

    def change(client: Client, event: Input) -> Iterable[Input]:
        if isinstance(event, Follow) and client.stream is Stream.STREAMING:
            client.send(without(client.sent[Call.STREAM].request, b"last-event-id"))
        yield event

    filter_inputs(change)


@breaks("ARK-STR-7")
def leaves_the_connection_open() -> None:
    """After the terminal frame, the client waits for the backend to close the connection."""
    drop_outputs(
        lambda client, output: (
            isinstance(output, Close) and output.exchange == client.sent[Call.STREAM].number
        )
    )


@breaks("ARK-STR-8")
def is_strict_about_the_content_type() -> None:
    """The client reads only `text/event-stream`, even in profiles that allow any content type."""
    change_profiles(lambda p: evolve(p, requires_event_stream=True), *_PLAIN)


@breaks("ARK-STR-8")
def is_strict_about_200() -> None:
    """The client reads a stream only from a 200, even in profiles that allow any 2xx."""
    change_profiles(lambda p: evolve(p, stream_statuses=HARDENED.stream_statuses), *_PLAIN)


@breaks("ARK-STR-9", "ARK-STR-11")
def reads_any_2xx() -> None:
    """The client reads a stream from any 2xx, even in the profile that allows only a 200."""
    change_profiles(lambda p: evolve(p, stream_statuses=_SUCCESS), "hardened")


@breaks("ARK-STR-10")
def reads_any_content_type() -> None:
    """The client reads a response of any content type as a stream, even HTML."""
    change_profiles(lambda p: evolve(p, requires_event_stream=False), "hardened")


@breaks("ARK-STR-11")
def retries_a_204() -> None:
    """The client reconnects after a 204, although a 204 tells it to stop."""
    change_profiles(
        lambda p: evolve(p, permanent_statuses=p.permanent_statuses - {204}), "hardened"
    )


def _reads_coded() -> None:
    change_heads(lambda _, head: with_field(head, b"content-encoding", None), Call.STREAM)


@breaks("ARK-STR-12")
def reads_compressed_bytes() -> None:
    """The client ignores `Content-Encoding` and parses the compressed bytes as events."""
    _reads_coded()


@breaks("ARK-STR-10")
def compares_the_whole_content_type() -> None:
    """The client compares the whole `Content-Type`, so letter case and parameters matter."""

    def change(_: Client, head: Responded) -> Responded:
        exact = header(head.headers, b"content-type") == "text/event-stream"
        return head if exact else with_field(head, b"content-type", "text/other")

    change_heads(change, Call.STREAM)


@breaks("ARK-STR-12")
def inflates_what_is_compressed() -> None:
    """The client decompresses a gzip stream that it did not ask for."""
    _reads_coded()
    change_bytes(lambda _, data: gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data)


def _minds_codings(foreign: Callable[[Headers], tuple[str, ...]]) -> None:
    def change(_: Client, head: Responded) -> Responded:
        coded = bool(foreign(head.headers))
        return as_no_stream(head) if coded else with_field(head, b"content-encoding", None)

    change_heads(change, Call.STREAM)


@breaks("ARK-STR-12")
def looks_at_the_first_coding() -> None:
    """The client checks only the first of several content codings."""

    def foreign(headers: Headers) -> tuple[str, ...]:
        return tuple(c for c in members(headers, b"content-encoding")[:1] if c != "identity")

    _minds_codings(foreign)


@breaks("ARK-STR-12")
def knows_few_codings() -> None:
    """The client ignores content codings that it does not recognise."""

    def foreign(headers: Headers) -> tuple[str, ...]:
        return tuple(c for c in members(headers, b"content-encoding") if c == "gzip")

    _minds_codings(foreign)


@breaks("ARK-STR-12")
def minds_any_coding() -> None:
    """The client treats any `Content-Encoding` as a failure, even `identity`."""

    def foreign(headers: Headers) -> tuple[str, ...]:
        return tuple("x" for name, _ in headers if name.lower() == b"content-encoding")

    _minds_codings(foreign)


def _by_types(judge: Callable[[tuple[str, ...]], bool]) -> None:
    def change(_: Client, head: Responded) -> Responded:
        types = members(head.headers, b"content-type")
        right = judge(tuple(each.partition(";")[0].strip().lower() for each in types))
        return with_field(head, b"content-type", "text/event-stream" if right else "text/other")

    change_heads(change, Call.STREAM)


@breaks("ARK-STR-10")
def looks_at_the_first_type() -> None:
    """The client checks only the first of several `Content-Type` values."""
    _by_types(lambda types: types[:1] == ("text/event-stream",))


@breaks("ARK-STR-10")
def looks_at_the_last_type() -> None:
    """The client checks only the last of several `Content-Type` values."""
    _by_types(lambda types: types[-1:] == ("text/event-stream",))


@breaks("ARK-STR-10")
def minds_a_repeated_type() -> None:
    """The client treats a repeated `Content-Type: text/event-stream` as a failure."""
    _by_types(lambda types: types == ("text/event-stream",))


@breaks("ARK-STR-10")
def takes_no_type_for_the_right_one() -> None:
    """The client reads a response with an empty or missing `Content-Type` as a stream."""
    _by_types(lambda types: set(types) <= {"text/event-stream"})


@breaks("ARK-STR-10")
def takes_a_beginning_for_a_type() -> None:
    """The client accepts any content type that starts with `text/event-stream`."""
    _by_types(lambda types: all(t.startswith("text/event-stream") for t in types))
