"""Mutants that mishandle the idle timers of a stream."""

# ruff: noqa: D401

from collections.abc import Iterable

from attrs import evolve

from arkor_proto import (
    Close,
    Handled,
    Idle,
    IdleTimeout,
    Input,
    Output,
    Received,
    Reconnecting,
    Responded,
    Tick,
    Timer,
)
from conformance.mutants.around import Call, Client, surround
from conformance.mutants.dialect import Block, change_chunks
from conformance.mutants.filters import (
    after_inputs,
    drop_outputs,
    filter_inputs,
    filter_outputs,
    reject_for,
)
from conformance.mutants.patching import ByObject, Stream, breaks, change_profiles

_HOUR = 3600.0


@breaks("ARK-IDL-1", "ARK-IDL-2")
def waits_in_silence_for_ever() -> None:
    """The client never gives up on a silent connection."""
    change_profiles(lambda profile: evolve(profile, byte_timeout=None))


@breaks("ARK-IDL-2")
def has_another_timer() -> None:
    """The byte timer defaults to five minutes instead of 45 seconds."""
    change_profiles(lambda p: evolve(p, byte_timeout=None if p.byte_timeout is None else 300.0))


@breaks("ARK-IDL-1")
def gives_up_on_silence() -> None:
    """When the stream goes silent, the client rejects `wait()` instead of reconnecting."""

    def reason(_: Client, notice: Reconnecting) -> Exception | None:
        return notice.cause if isinstance(notice.cause, IdleTimeout) else None

    reject_for(reason)


@breaks("ARK-IDL-1")
def leaves_the_silent_connection() -> None:
    """The client reopens a silent stream but leaves the old connection open."""
    drop_outputs(
        lambda client, output: (
            isinstance(output, Close)
            and isinstance(client.event, Tick)
            and client.came_from is Stream.STREAMING
        )
    )


@breaks("ARK-IDL-4")
def ignores_the_progress_timer() -> None:
    """The client ignores the progress timeout that the caller configured."""
    surround(lambda setup: evolve(setup, profile=evolve(setup.profile, progress_timeout=None)))


@breaks("ARK-IDL-3", follows=("ARK-BAK-10", "ARK-BUD-11"))
def restarts_the_timer_with_events_only() -> None:
    """Bytes restart the byte timer only when they complete an event other than a ping."""
    late = ByObject[list[Block]]()

    def hold(client: Client, _: bytes, blocks: list[Block]) -> Iterable[Block]:
        held = late.setdefault(client.sent[Call.STREAM], [])
        held += blocks
        if any(block.data is not None and block.name != "ping" for block in blocks):
            yield from held
            held.clear()

    change_chunks(hold, silent=True)


@breaks("ARK-IDL-5")
def counts_the_time_of_callbacks_as_silence() -> None:
    """The byte timer keeps running while a callback runs."""
    heard = ByObject[float]()

    def note(client: Client, event: Input) -> None:
        if isinstance(event, Received | Responded):
            heard[client] = client.now
        elif isinstance(event, Handled) and client in heard:
            client.postpone(heard[client] - client.now)

    after_inputs(note)


@breaks("ARK-IDL-6")
def gives_a_silent_stream_up_where_it_should_not() -> None:
    """In profiles without an idle timer, the client closes a stream after 5 minutes of silence."""
    change_profiles(
        lambda p: evolve(p, byte_timeout=300.0 if p.byte_timeout is None else p.byte_timeout)
    )


@breaks("ARK-STR-14")
def limits_the_stream_to_an_hour() -> None:
    """The client reopens a stream after one hour, even if events are still arriving."""
    opened = ByObject[float]()

    def change(client: Client, event: Input) -> Iterable[Input]:
        yield event
        if isinstance(event, Responded) and client.stream is Stream.STREAMING:
            opened[client] = client.now
        due = isinstance(event, Tick) and client.now >= opened.get(client, client.now) + _HOUR
        if due and client.stream is Stream.STREAMING:
            client.break_off(IdleTimeout("stream: open for an hour"))

    def ring(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Idle) and client.stream is Stream.STREAMING:
            due = opened[client] + _HOUR
            yield output if output.until and output.until < due else Idle(due, Timer.IDLE)
        else:
            yield output

    filter_inputs(change)
    filter_outputs(ring)
