"""Mutants of the budget of consecutive failures, and of what is progress."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from collections.abc import Callable

from attrs import evolve

from arkor_proto import _reader
from arkor_proto._backoff import Budget
from arkor_proto._errors import StreamEnded, TransportError
from arkor_proto._event import ServerSentEvent
from arkor_proto._exchange import Pending
from arkor_proto._profile import Progress
from arkor_proto._reader import Control, FrameReader, Meaning
from arkor_proto._sse import EventStreamParser
from arkor_proto._table import Stream
from arkor_proto._wait import Wait
from conformance.mutants.patching import (
    ByObject,
    breaks,
    change_profiles,
    replace,
)


def _limit_changed_by(change: int) -> None:
    original = Budget.failed

    def failed(budget: Budget) -> float | None:
        limit = budget.policy.max_attempts
        if limit is None:
            return original(budget)
        policy = budget.policy
        budget.policy = evolve(policy, max_attempts=max(limit + change, 0))
        delay = original(budget)
        budget.policy = policy
        return delay

    replace(Budget, "failed", failed)


@breaks("ARK-BUD-6", follows=("ARK-EVT-15", "ARK-RES-14"))
def tries_once_more() -> None:
    """One open too many."""
    _limit_changed_by(1)


@breaks("ARK-BUD-6")
def tries_once_less() -> None:
    """One open too few."""
    _limit_changed_by(-1)


@breaks("ARK-BUD-6")
def never_gives_up() -> None:
    """The limit is ignored."""
    _limit_changed_by(10**9)


@breaks("ARK-BUD-8")
def gives_up_by_default() -> None:
    """Without a limit it gives up after ten failures."""
    original = Budget.failed

    def failed(budget: Budget) -> float | None:
        limited = budget.policy.max_attempts is None and budget.failures >= 10  # noqa: PLR2004
        return None if limited else original(budget)

    replace(Budget, "failed", failed)


@breaks("ARK-BUD-9")
def never_forgets_failures() -> None:
    """Progress does not set the count back."""

    def progressed(_: Budget) -> None:
        return

    replace(Budget, "progressed", progressed)


@breaks("ARK-BUD-10")
def forgets_failures_on_200() -> None:
    """A 200 sets the count back."""
    original = Wait._responded

    def responded(wait: Wait, pending: Pending, now: float) -> None:
        original(wait, pending, now)
        if wait.machines.stream is Stream.STREAMING:
            wait.budget.progressed()

    replace(Wait, "_responded", responded)


@breaks("ARK-BUD-13", "ARK-BUD-18")
def takes_a_ping_for_progress() -> None:
    """A ping is progress where it must not be."""
    change_profiles(lambda p: evolve(p, progress=Progress.ANY_FRAME), "2026-07", "hardened")


@breaks("ARK-BUD-11")
def takes_no_ping_for_progress() -> None:
    """A ping is no progress where it must be."""
    change_profiles(lambda p: evolve(p, progress=Progress.JSON_FRAME), "2026-05")


@breaks("ARK-BUD-11", "ARK-BUD-12")
def wants_new_ids_for_progress() -> None:
    """Only a new id is progress, where any frame or any JSON is."""
    change_profiles(lambda p: evolve(p, progress=Progress.NEW_CURSOR), "2026-05", "2026-07")


def _count_only(counts: Callable[[FrameReader, ServerSentEvent, Meaning], bool]) -> None:
    original = FrameReader.progress

    def progress(reader: FrameReader, frame: ServerSentEvent, meaning: Meaning) -> bool:
        before = reader.progressed
        wanted = counts(reader, frame, meaning)
        if original(reader, frame, meaning) and wanted:
            return True
        reader.progressed = before
        return False

    replace(FrameReader, "progress", progress)


@breaks("ARK-BUD-11", "ARK-BUD-19", "ARK-BUD-14")
def takes_only_known_types_for_progress() -> None:
    """A frame of an unknown type is no progress."""
    _count_only(lambda _, __, meaning: meaning is not Control.UNKNOWN)


@breaks("ARK-BUD-14")
def lets_the_first_frame_decide() -> None:
    """Only the first frame of a stream can be progress."""
    taken = ByObject[EventStreamParser]()

    def is_first(reader: FrameReader, _: ServerSentEvent, __: Meaning) -> bool:
        first = taken.get(reader) is not reader._parser
        taken[reader] = reader._parser
        return first

    _count_only(is_first)


@breaks("ARK-BUD-14")
def takes_a_repeated_id_for_progress() -> None:
    """A backend that repeats its last frame for ever is followed for ever."""
    change_profiles(lambda p: evolve(p, progress=Progress.JSON_FRAME), "hardened")


@breaks("ARK-BUD-15")
def wants_ids_for_progress() -> None:
    """A frame without an id is no progress."""
    original = FrameReader._is_new

    def is_new(reader: FrameReader, frame: ServerSentEvent) -> bool:
        return frame.has_id and original(reader, frame)

    replace(FrameReader, "_is_new", is_new)


@breaks("ARK-BUD-17")
def remembers_one_id() -> None:
    """Only the last id is remembered, so a replayed log is progress."""
    replace(_reader, "_REMEMBERED", 1)


@breaks("ARK-BUD-16", "ARK-BUD-20", follows=("ARK-BUD-4", "ARK-BUD-10", "ARK-BUD-13", "ARK-BUD-18"))
def takes_a_comment_for_progress() -> None:
    """Any byte is progress."""
    original = FrameReader.feed

    def feed(reader: FrameReader, data: bytes) -> None:
        original(reader, data)
        reader.progressed = True

    replace(FrameReader, "feed", feed)


@breaks("ARK-BUD-4")
def takes_an_empty_stream_for_progress() -> None:
    """A stream that ends without a frame costs nothing."""
    original = FrameReader.open

    def opened(reader: FrameReader) -> None:
        original(reader)
        reader.progressed = True

    replace(FrameReader, "open", opened)


@breaks("ARK-BUD-5", "ARK-BAK-4", "ARK-BAK-5")
def counts_a_clean_end() -> None:
    """A clean end after progress counts as a failure."""
    original = FrameReader.progress

    def progress(reader: FrameReader, frame: ServerSentEvent, meaning: Meaning) -> bool:
        original(reader, frame, meaning)
        reader.progressed = False
        return False

    replace(FrameReader, "progress", progress)


@breaks("ARK-BUD-3")
def takes_a_break_for_a_clean_end() -> None:
    """A connection that breaks after progress is not counted."""
    original = Wait._over

    def over(wait: Wait, pending: Pending, error: Exception | None, now: float) -> None:
        original(wait, pending, None if wait.reader.progressed else error, now)

    replace(Wait, "_over", over)


@breaks("ARK-BUD-1")
def gives_up_on_a_failed_connect() -> None:
    """A connection that cannot be made ends the wait."""
    original = Wait._fail

    def fail(wait: Wait, cause: Exception, now: float) -> None:
        if isinstance(cause, TransportError) and wait.machines.stream is Stream.OPENING:
            wait._reject(cause)
        else:
            original(wait, cause, now)

    replace(Wait, "_fail", fail)


@breaks("ARK-BUD-3")
def gives_up_on_a_broken_stream() -> None:
    """A stream that breaks in the middle ends the wait."""
    original = Wait._fail

    def fail(wait: Wait, cause: Exception, now: float) -> None:
        broke = isinstance(cause, TransportError) and not isinstance(cause, StreamEnded)
        if broke and wait.machines.stream is Stream.STREAMING:
            wait._reject(cause)
        else:
            original(wait, cause, now)

    replace(Wait, "_fail", fail)


@breaks("ARK-BUD-4")
def gives_up_on_an_empty_stream() -> None:
    """A stream that ends without progress ends the wait."""
    original = Wait._fail

    def fail(wait: Wait, cause: Exception, now: float) -> None:
        if isinstance(cause, StreamEnded):
            wait._reject(cause)
        else:
            original(wait, cause, now)

    replace(Wait, "_fail", fail)


@breaks("ARK-BUD-3", follows=("ARK-BUD-9",))
def counts_on_after_a_break() -> None:
    """A break after progress goes on with the count from before the progress."""
    responded, fail = Wait._responded, Wait._fail
    before = ByObject[int]()

    def responded_(wait: Wait, pending: Pending, now: float) -> None:
        responded(wait, pending, now)
        if wait.machines.stream is Stream.STREAMING:
            before[wait] = wait.budget.failures

    def fail_(wait: Wait, cause: Exception, now: float) -> None:
        if isinstance(cause, TransportError) and wait.reader.progressed:
            wait.budget.failures = before[wait]
        fail(wait, cause, now)

    replace(Wait, "_responded", responded_)
    replace(Wait, "_fail", fail_)


@breaks("ARK-BUD-14")
def takes_the_first_id_alone_for_progress() -> None:
    """Only the first id of a job counts as progress."""
    original = FrameReader._is_new

    def is_new(reader: FrameReader, frame: ServerSentEvent) -> bool:
        first = len(reader._seen) < 2  # noqa: PLR2004 - nothing, and then the first
        return original(reader, frame) and (first or not frame.has_id)

    replace(FrameReader, "_is_new", is_new)
