"""Mutants of the question for the job, after a stream that brought nothing."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from attrs import evolve

from arkor_proto import _wait
from arkor_proto._errors import ResponseError
from arkor_proto._event import ServerSentEvent
from arkor_proto._json import TERMINAL_STATUSES, read_job
from arkor_proto._reader import FrameReader, Meaning
from arkor_proto._table import Stream
from arkor_proto._types import TrainingJob
from arkor_proto._wait import Wait
from conformance.mutants.patching import breaks, change_profiles, replace


@breaks("ARK-STR-18")
def never_asks_for_the_job() -> None:
    """An empty stream behind the terminal id is asked for again, for ever."""
    change_profiles(lambda profile: evolve(profile, asks_for_the_job=False))


@breaks("ARK-STR-18")
def forgets_a_lost_terminal_frame() -> None:
    """A terminal frame that is not JSON is a malformed frame like any other."""

    def is_lost_end(frame: ServerSentEvent) -> bool:
        del frame
        return False

    replace(_wait, "is_lost_end", is_lost_end)


@breaks("ARK-STR-18")
def takes_a_keep_alive_for_news() -> None:
    """A stream with a ping is not empty."""
    original = FrameReader.progress

    def progress(reader: FrameReader, frame: ServerSentEvent, meaning: Meaning) -> bool:
        counts = original(reader, frame, meaning)
        reader.empty = False
        return counts

    replace(FrameReader, "progress", progress)


def _take_the_end_from(body: bytes) -> TrainingJob | None:
    try:
        return read_job(body, "job")
    except ResponseError:
        return None


@breaks("ARK-STR-19", follows=("ARK-STR-4",))
def takes_any_job_for_one_that_is_over() -> None:
    """The job resolves the wait whatever its status is."""

    def read_end(body: bytes, job_id: str) -> TrainingJob | None:
        job = _take_the_end_from(body)
        return job if job is not None and job.id == job_id else None

    replace(_wait, "read_end", read_end)


@breaks("ARK-STR-19", follows=("ARK-STR-4",))
def takes_the_end_of_another_job() -> None:
    """The id of the job that is over is not looked at."""

    def read_end(body: bytes, job_id: str) -> TrainingJob | None:
        del job_id
        job = _take_the_end_from(body)
        return job if job is not None and job.status in TERMINAL_STATUSES else None

    replace(_wait, "read_end", read_end)


@breaks("ARK-STR-19")
def rejects_when_the_question_is_not_answered() -> None:
    """A backend that cannot say how the job is ends the wait."""
    original = Wait._go_on

    def go_on(wait: Wait, now: float) -> None:
        if wait.machines.stream is Stream.ASKING:
            wait._reject(ResponseError("job: the backend does not say how it is"))
        else:
            original(wait, now)

    replace(Wait, "_go_on", go_on)


@breaks("ARK-STR-19", follows=("ARK-BUD-4", "ARK-BUD-6"))
def counts_the_question_as_a_failure() -> None:
    """A question in vain is a failure, and so is the stream before it."""
    original = Wait._go_on

    def go_on(wait: Wait, now: float) -> None:
        if wait.machines.stream is Stream.ASKING:
            wait.budget.failures += 1
        original(wait, now)

    replace(Wait, "_go_on", go_on)


@breaks("ARK-ABT-1")
def ignores_an_abort_while_it_asks() -> None:
    """An abort while the job is read is not heard."""
    original = Wait.abort

    def abort(wait: Wait, reason: object) -> None:
        if wait.machines.stream is not Stream.ASKING:
            original(wait, reason)

    replace(Wait, "abort", abort)
