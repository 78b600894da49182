"""Ten broken clients for which no case was written: `python -m tests.conformance.explore.quirk NAME`.

Each gets every single step right and some combination wrong, which is what exploring is for.
"""

# Quirks patch private names.
# ruff: noqa: SLF001 - a quirk reaches inside, as a mutant does
# pyright: reportPrivateUsage=false

import sys
from collections.abc import Callable, Mapping
from typing import Final

import anyio
from attrs import evolve

from arkor_proto import CheckpointSaved, TrainingEvent
from arkor_proto._backoff import Budget
from arkor_proto._event import ServerSentEvent
from arkor_proto._exchange import Answer, Pending
from arkor_proto._reader import FrameReader, Meaning
from arkor_proto._types import FrameSkipped
from arkor_proto._wait import Wait
from conformance.drivers.python import translation as to
from conformance.drivers.python.reference import open_client
from conformance.drivers.python.stdio import serve
from conformance.mutants.patching import replace


def forgets_the_cursor_after_two_failures() -> None:
    failed = Wait._fail

    def fail(wait: Wait, cause: Exception, now: float) -> None:
        if wait.budget.failures == 1:
            wait.reader.cursor = ""
        failed(wait, cause, now)

    replace(Wait, "_fail", fail)


def waits_twice_as_long_after_the_third_clean_end() -> None:
    ends = dict[int, int]()
    clean_end = Budget.clean_end

    def counted(budget: Budget, *, spread: bool) -> float:
        ends[id(budget)] = ends.get(id(budget), 0) + 1
        return clean_end(budget, spread=spread) * (2 if ends[id(budget)] == 3 else 1)

    replace(Budget, "clean_end", counted)


def loses_the_frame_behind_an_unknown_type() -> None:
    _skips_behind(lambda meaning: "unknown" in str(meaning).lower())


def loses_the_frame_behind_a_malformed_one() -> None:
    _skips_behind(lambda meaning: isinstance(meaning, FrameSkipped))


def loses_the_frame_behind_a_checkpoint() -> None:
    _skips_behind(lambda meaning: isinstance(meaning, CheckpointSaved))


def _skips_behind(marks: Callable[[Meaning], bool]) -> None:
    read = FrameReader.read
    marked = dict[int, bool]()

    def skipping(reader: FrameReader, frame: ServerSentEvent) -> Meaning:
        meaning = read(reader, frame)
        if marked.get(id(reader)):
            meaning = FrameSkipped("", "lost")
        marked[id(reader)] = marks(meaning)
        return meaning

    replace(FrameReader, "read", skipping)


def sorts_ids_that_shrink_as_no_progress() -> None:
    progress = FrameReader.progress

    def shrinking(reader: FrameReader, frame: ServerSentEvent, meaning: Meaning) -> bool:
        shrunk = frame.has_id and frame.last_event_id == "1"
        before = reader.progressed
        counts = progress(reader, frame, meaning)
        if shrunk:
            reader.progressed = before
        return counts and not shrunk

    replace(FrameReader, "progress", shrinking)


def counts_a_break_behind_a_checkpoint_twice() -> None:
    over = Wait._over

    def twice(wait: Wait, pending: Pending, error: Exception | None, now: float) -> None:
        if "Checkpoint" in str(wait.with_callback) or wait._delivered % 4 == 3:
            wait.budget.failures += 1
        over(wait, pending, error, now)

    replace(Wait, "_over", twice)


def takes_a_404_on_a_reopen_for_permanent() -> None:
    refused = Wait.refused

    def strict(wait: Wait, answer: Answer, now: float) -> None:
        if answer.status == 404 and wait.reader.cursor:
            wait.profile = evolve(
                wait.profile, permanent_statuses=frozenset({404}), not_found_grace=0.0
            )
        refused(wait, answer, now)

    replace(Wait, "refused", strict)


def trims_the_spaces_of_a_cursor() -> None:
    take = FrameReader.take

    def trimming(reader: FrameReader) -> ServerSentEvent | None:
        frame = take(reader)
        reader.cursor = reader.cursor.replace(" ", "")
        return frame

    replace(FrameReader, "take", trimming)


def calls_the_callback_again_when_it_threw() -> None:
    failed = Wait._callback_failed

    def again(wait: Wait, event: TrainingEvent, error: Exception, now: float) -> None:
        wait.reader.cursor = wait._cursor_before
        failed(wait, event, error, now)

    replace(Wait, "_callback_failed", again)


QUIRKS: Final[Mapping[str, Callable[[], None]]] = {
    quirk.__name__.replace("_", "-"): quirk
    for quirk in (
        forgets_the_cursor_after_two_failures,
        waits_twice_as_long_after_the_third_clean_end,
        loses_the_frame_behind_an_unknown_type,
        loses_the_frame_behind_a_malformed_one,
        loses_the_frame_behind_a_checkpoint,
        sorts_ids_that_shrink_as_no_progress,
        counts_a_break_behind_a_checkpoint_twice,
        takes_a_404_on_a_reopen_for_permanent,
        trims_the_spaces_of_a_cursor,
        calls_the_callback_again_when_it_threw,
    )
}

if __name__ == "__main__":
    QUIRKS[sys.argv[1]]()
    anyio.run(serve, to.HELLO, open_client, to.explain)
