"""Mutants that mishandle an exception in a callback."""

# ruff: noqa: D401

from collections.abc import Iterable

from attrs import evolve

from arkor_proto import (
    CallbackErrors,
    Close,
    Deliver,
    Follow,
    Handled,
    Input,
    Output,
    Request,
)
from conformance.mutants.around import Call, Client
from conformance.mutants.filters import drop_outputs, edit_requests, filter_inputs, filter_outputs
from conformance.mutants.patching import (
    ByObject,
    Ignored,
    Move,
    Stream,
    StreamSignal,
    breaks,
    change_profiles,
    set_cell,
    with_cursor,
)


@breaks("ARK-EVT-16")
def swallows_errors_of_callbacks() -> None:
    """After an exception in a callback, the client retries although `wait()` must reject."""
    change_profiles(
        lambda p: evolve(p, callback_errors=CallbackErrors.RETRY), "2026-07", "hardened"
    )


@breaks("ARK-EVT-15", "ARK-EVT-17")
def rejects_at_errors_of_callbacks() -> None:
    """After an exception in a callback, `wait()` rejects in the profile that requires a retry."""
    change_profiles(lambda p: evolve(p, callback_errors=CallbackErrors.REJECT), "2026-05")


@breaks("ARK-EVT-15", "ARK-EVT-16")
def ignores_errors_of_callbacks() -> None:
    """The client ignores exceptions in callbacks."""

    def change(client: Client, event: Input) -> Iterable[Input]:
        ignores = isinstance(event, Handled) and client.stream is not Stream.CONCLUDING
        yield evolve(event, error=None) if ignores and isinstance(event, Handled) else event

    filter_inputs(change)


@breaks("ARK-EVT-28")
def asks_again_for_the_event_whose_callback_failed() -> None:
    """After an exception in a callback, the client requests the same event again."""
    heard, before, back = ByObject[str](), ByObject[str](), ByObject[str]()

    def deliver(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Deliver):
            before[client] = heard.get(client, client.setup.config.last_event_id)
            heard[client] = client.session.last_event_id
        yield output

    def change(client: Client, event: Input) -> Iterable[Input]:
        if isinstance(event, Handled) and event.error and client.stream is Stream.DELIVERING:
            back[client] = heard[client] = before[client]
        yield event

    def edit(client: Client, request: Request) -> Request:
        cursor = back.pop(client, None)
        return request if cursor is None else with_cursor(request, cursor)

    filter_outputs(deliver)
    filter_inputs(change)
    edit_requests(edit, Call.STREAM)


@breaks("ARK-STR-17")
def leaves_the_stream_of_a_failed_callback_open() -> None:
    """After an exception in a callback, the client leaves the stream's connection open."""
    drop_outputs(
        lambda client, output: (
            isinstance(output, Close)
            and isinstance(client.event, Handled)
            and client.event.error is not None
        )
    )


@breaks("ARK-EVT-18")
def forgets_the_result_after_a_failed_callback() -> None:
    """After an exception in the last callback, the next `wait()` opens the stream again."""
    failed = ByObject[bool]()

    def change(client: Client, event: Input) -> Iterable[Input]:
        if isinstance(event, Handled) and event.error and client.stream is Stream.CONCLUDING:
            failed[client] = True
        if isinstance(event, Follow) and client in failed:
            set_cell(Stream.CONCLUDED, StreamSignal.FOLLOW, Move(Stream.AWAITING_JOB))
            yield event
            set_cell(Stream.CONCLUDED, StreamSignal.FOLLOW, Ignored("the result is known"))
        else:
            yield event

    filter_inputs(change)
