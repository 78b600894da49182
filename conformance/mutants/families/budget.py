"""Mutants that apply the failure budget wrongly, or misjudge what counts as progress."""

# ruff: noqa: D401

from collections.abc import Callable, Iterable, Sequence

from attrs import evolve

from arkor_proto import (
    Broken,
    Finished,
    Input,
    Progress,
    Reconnecting,
    ReconnectPolicy,
    StreamEnded,
    TransportError,
)
from conformance.mutants.around import Client, surround
from conformance.mutants.dialect import Block, change_blocks, connection, lost, watch_blocks
from conformance.mutants.filters import filter_inputs, recount, reject_for
from conformance.mutants.patching import (
    WHERE_FAILURES_COUNT,
    ByObject,
    Stream,
    breaks,
    change_profiles,
)

_STREAMED = {Stream.STREAMING, Stream.DELIVERING, Stream.ASKING}


def _change_policies(change: Callable[[ReconnectPolicy], ReconnectPolicy]) -> None:
    surround(lambda setup: evolve(setup, policy=change(setup.policy)))


def _limit_changed_by(change: int) -> None:
    def changed(policy: ReconnectPolicy) -> ReconnectPolicy:
        limit = policy.max_attempts
        return policy if limit is None else evolve(policy, max_attempts=max(limit + change, 0))

    _change_policies(changed)


@breaks("ARK-BUD-6", follows=("ARK-RES-14", *WHERE_FAILURES_COUNT))
def tries_once_more() -> None:
    """The client reconnects once more than the budget allows."""
    _limit_changed_by(1)


@breaks("ARK-BUD-6", follows=WHERE_FAILURES_COUNT)
def tries_once_less() -> None:
    """The client gives up one reconnect too early."""
    _limit_changed_by(-1)


@breaks("ARK-BUD-6", follows=WHERE_FAILURES_COUNT)
def never_gives_up() -> None:
    """The client ignores the limit on failures and never gives up."""
    _limit_changed_by(10**9)


@breaks("ARK-BUD-8", follows=WHERE_FAILURES_COUNT)
def gives_up_by_default() -> None:
    """The client gives up after ten failed reconnects even though no limit is set."""
    _change_policies(lambda p: evolve(p, max_attempts=10) if p.max_attempts is None else p)


@breaks("ARK-BUD-9", follows=WHERE_FAILURES_COUNT)
def never_forgets_failures() -> None:
    """Progress does not reset the count of failures."""
    failures = ByObject[int]()

    def rule(client: Client, notice: Reconnecting, _: int) -> int:
        if notice.cause is None:
            return 0
        failures[client] = failures.get(client, 0) + 1
        return failures[client]

    recount(rule)


def _count_as_progress(is_progress: Callable[[Client, Sequence[Block]], bool]) -> None:
    """Replace the rule that decides what counts as progress.

    Progress resets the count of failures, and a clean end after progress is not a failure.
    `is_progress` takes the client and the events of the stream.
    """
    blocks = watch_blocks()

    def rule(client: Client, notice: Reconnecting, count: int) -> int:
        if client.came_from not in _STREAMED:
            return count + 1
        events = [block for block in blocks(client) if block.data is not None]
        if not is_progress(client, events):
            return count + 1
        clean = notice.cause is None or isinstance(notice.cause, StreamEnded)
        return 0 if clean else 1

    recount(rule)


def _is_json(block: Block) -> bool:
    return block.content is not None and block.name != "ping"


@breaks("ARK-BUD-10", follows=WHERE_FAILURES_COUNT)
def forgets_failures_on_200() -> None:
    """A response with status 200 resets the count of failures, even if no event follows."""

    def rule(client: Client, notice: Reconnecting, count: int) -> int:
        if notice.cause is None:
            return 0
        return 1 if client.came_from in _STREAMED else count + 1

    recount(rule)


@breaks("ARK-BUD-13", "ARK-BUD-18", follows=WHERE_FAILURES_COUNT)
def takes_a_ping_for_progress() -> None:
    """A ping counts as progress in profiles where it must not."""
    change_profiles(lambda p: evolve(p, progress=Progress.ANY_FRAME), "2026-07", "hardened")


@breaks("ARK-BUD-11", follows=WHERE_FAILURES_COUNT)
def takes_no_ping_for_progress() -> None:
    """A ping does not count as progress in the profile where it must."""
    change_profiles(lambda p: evolve(p, progress=Progress.JSON_FRAME), "2026-05")


@breaks("ARK-BUD-11", "ARK-BUD-12", follows=WHERE_FAILURES_COUNT)
def wants_new_ids_for_progress() -> None:
    """Only a new id counts as progress, even where any frame or any JSON frame must count."""
    change_profiles(lambda p: evolve(p, progress=Progress.NEW_CURSOR), "2026-05", "2026-07")


@breaks("ARK-BUD-11", "ARK-BUD-19", "ARK-BUD-14", follows=WHERE_FAILURES_COUNT)
def takes_only_known_types_for_progress() -> None:
    """A frame of an unknown type does not count as progress."""

    def change(_: Client, block: Block) -> Iterable[Block]:
        unknown = block.content is not None and not block.kind
        yield lost(block) if unknown and not block.is_control else block

    change_blocks(change)


@breaks("ARK-BUD-14", follows=WHERE_FAILURES_COUNT)
def lets_the_first_frame_decide() -> None:
    """Only the first frame of a stream can count as progress."""
    seen = ByObject[set[str | None]]()

    def is_progress(client: Client, events: Sequence[Block]) -> bool:
        known = seen.setdefault(client, {None})
        counts = bool(events) and _is_json(events[0])
        if client.setup.profile.progress is Progress.NEW_CURSOR:
            counts = counts and (events[0].id is None or events[0].id not in known)
        known |= {block.id for block in events}
        return counts

    _count_as_progress(is_progress)


@breaks("ARK-BUD-14", follows=WHERE_FAILURES_COUNT)
def takes_a_repeated_id_for_progress() -> None:
    """A repeated id counts as progress, so endless repeats never exhaust the budget."""
    change_profiles(lambda p: evolve(p, progress=Progress.JSON_FRAME), "hardened")


def _count_new_ids(is_new: Callable[[list[str], Block], bool]) -> None:
    """Replace the rule for progress where a repeated id must not count.

    `is_new` takes the ids that the client has seen so far, and a frame.
    """
    ids = ByObject[list[str]]()

    def is_progress(client: Client, events: Sequence[Block]) -> bool:
        if client.setup.profile.progress is not Progress.NEW_CURSOR:
            return bool(events)
        known = ids.setdefault(client, [client.setup.config.last_event_id])
        found = False
        for block in events:
            found |= _is_json(block) and is_new(known, block)
            known += [] if block.id is None else [block.id]
        return found

    _count_as_progress(is_progress)


@breaks("ARK-BUD-15", follows=WHERE_FAILURES_COUNT)
def wants_ids_for_progress() -> None:
    """A frame without an id does not count as progress."""
    _count_new_ids(lambda known, block: block.id is not None and block.id not in known)


@breaks("ARK-BUD-17", follows=WHERE_FAILURES_COUNT)
def remembers_one_id() -> None:
    """The client remembers only the last id, so replayed events count as progress."""
    _count_new_ids(lambda known, block: block.id is None or block.id != known[-1])


@breaks("ARK-BUD-16", "ARK-BUD-20", follows=WHERE_FAILURES_COUNT)
def takes_a_comment_for_progress() -> None:
    """Any byte counts as progress, even a byte of a comment."""
    _count_as_progress(lambda client, _: connection(client).received > 0)


@breaks("ARK-BUD-4", follows=WHERE_FAILURES_COUNT)
def takes_an_empty_stream_for_progress() -> None:
    """A stream that ends cleanly without progress does not count as a failure."""

    def rule(_: Client, notice: Reconnecting, count: int) -> int:
        return 0 if notice.cause is None or isinstance(notice.cause, StreamEnded) else count + 1

    recount(rule)


@breaks("ARK-BUD-5", "ARK-BAK-4", "ARK-BAK-5", follows=WHERE_FAILURES_COUNT)
def counts_a_clean_end() -> None:
    """A clean end counts as a failure even after progress."""
    recount(lambda _, __, count: count + 1)


@breaks("ARK-BUD-3", follows=WHERE_FAILURES_COUNT)
def takes_a_break_for_a_clean_end() -> None:
    """A connection that breaks after progress does not count as a failure."""
    blocks = watch_blocks()

    def change(client: Client, event: Input) -> Iterable[Input]:
        broke = isinstance(event, Broken) and client.is_of_stream(event)
        if isinstance(event, Broken) and broke and any(b.data is not None for b in blocks(client)):
            yield Finished(event.exchange)
        else:
            yield event

    filter_inputs(change)


@breaks("ARK-BUD-1", follows=WHERE_FAILURES_COUNT)
def gives_up_on_a_failed_connect() -> None:
    """`wait()` rejects at the first failure to connect, instead of retrying."""

    def reason(client: Client, notice: Reconnecting) -> Exception | None:
        opening = client.came_from is Stream.OPENING
        return notice.cause if opening and isinstance(notice.cause, TransportError) else None

    reject_for(reason)


@breaks("ARK-BUD-3", follows=WHERE_FAILURES_COUNT)
def gives_up_on_a_broken_stream() -> None:
    """`wait()` rejects when a stream breaks, instead of reconnecting."""

    def reason(client: Client, notice: Reconnecting) -> Exception | None:
        cause = notice.cause
        broke = isinstance(cause, TransportError) and not isinstance(cause, StreamEnded)
        return cause if broke and client.came_from in _STREAMED else None

    reject_for(reason)


@breaks("ARK-BUD-4", follows=WHERE_FAILURES_COUNT)
def gives_up_on_an_empty_stream() -> None:
    """`wait()` rejects when a stream ends without progress, instead of reconnecting."""
    reject_for(lambda _, n: n.cause if isinstance(n.cause, StreamEnded) else None)


@breaks("ARK-BUD-3", follows=WHERE_FAILURES_COUNT)
def counts_on_after_a_break() -> None:
    """A break after progress adds to the earlier failures instead of starting a new count."""
    recount(lambda _, notice, count: 0 if notice.cause is None else count + 1)


@breaks("ARK-BUD-14", follows=WHERE_FAILURES_COUNT)
def takes_the_first_id_alone_for_progress() -> None:
    """Only the first id of a job counts as progress; later new ids do not."""
    _count_new_ids(lambda known, block: block.id is None or known == [""])
