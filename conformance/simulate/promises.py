"""The promises of the protocol, checked during and after a simulated job."""

import json
from collections.abc import Collection, Sequence
from typing import Final

from arkor_proto import Resolved
from conformance.simulate.faults import Fault, Kind
from mock_server.backend.jobs import Job
from mock_server.sse import Frame, fields_of

_NAMES: Final = {
    "training.started": "TrainingStarted",
    "training.log": "TrainingLog",
    "checkpoint.saved": "CheckpointSaved",
    "training.completed": "TrainingCompleted",
    "training.failed": "TrainingFailed",
}

_REOPENS: Final = frozenset(
    {
        *(Kind.REFUSED, Kind.STATUS, Kind.CUT, Kind.END, Kind.SILENCE),
        *(Kind.ASLEEP, Kind.RAISES),
    }
)
"""The faults after which a client reopens the stream."""


class Violated(Exception):
    """A promise of the protocol was broken; the message says which."""


def check_requests(faults: Collection[Fault], opens: int, creates: int) -> None:
    """Raise Violated if more requests were sent than the faults so far explain."""
    again = sum(each.kind in _REOPENS for each in faults)
    if opens > 1 + again:
        raise Violated(
            f"the stream was opened {opens} times, but the faults explain only {1 + again}"
        )
    again = sum(each.kind.place == "create" for each in faults)
    if creates > 1 + again:
        raise Violated(
            f"the job was submitted {creates} times, but the faults explain only {1 + again}"
        )


def check(
    *,
    outcomes: Sequence[object],
    jobs: Sequence[Job],
    heard: Sequence[tuple[str, object]],
) -> None:
    """Raise Violated if the result of a job is wrong.

    `outcomes` are the outcomes with which `wait()` ended, `jobs` the jobs in the backend, and
    `heard` the events that callbacks received.
    """
    if len(outcomes) != 1:
        raise Violated(f"the wait was settled {len(outcomes)} times instead of once")
    if len(jobs) > 1:
        raise Violated(f"{len(jobs)} jobs were created")
    (outcome,) = outcomes
    if not isinstance(outcome, Resolved):
        raise Violated(f"the wait ended with {outcome!r}")
    (job,) = jobs
    _check_log(job, heard)


def _check_log(job: Job, heard: Sequence[tuple[str, object]]) -> None:
    """Raise Violated unless callbacks received every event once, in order."""
    log = [_told(frame) for frame in job.log]
    if heard == log:
        return
    place = next(
        (n for n, (a, b) in enumerate(zip(heard, log, strict=False)) if a != b),
        min(len(heard), len(log)),
    )
    got = heard[place] if place < len(heard) else "nothing"
    if place >= len(log):
        raise Violated(f"the log ends with event {len(log)}, but a callback then received {got}")
    due = log[place]
    raise Violated(f"event {place + 1} of the log is {due}, but the callback received {got}")


def _told(frame: Frame) -> tuple[str, object]:
    """Return the event type and the step that a client must report for a frame."""
    data = json.loads(fields_of(frame.raw).data or "{}")
    return _NAMES[frame.type or ""], data.get("step")
