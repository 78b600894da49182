"""Counts the jobs of a run, records their ids, and cancels those that are still running."""

from collections.abc import Callable
from typing import Final

import anyio
from attrs import define, evolve, field

from arkor_proto.cli import quoting
from conformance.backends.answer import Answer
from conformance.backends.target import Target
from conformance.backends.wire import Unreachable, Wire
from mock_server.strict.shapes import count_of

OVER: Final = ("completed", "failed", "cancelled")
_SECONDS: Final = 5.0
"""The time limit in seconds for each request that cancels a job."""
_MOST_SECONDS: Final = 20.0
"""The time limit in seconds for cancelling all jobs together."""
_PAUSES: Final = (0.0, 0.5, 1.0, 2.0)
"""How long to wait before each attempt to cancel a job, in seconds."""
_NO_SUCH_JOB: Final = (404, 410)
_LATER: Final = (408, 425, 429)
_LONGEST_BODY: Final = 1 << 16


class OverBudget(Exception):
    """The run has reached its limit on the number of jobs."""


@define(eq=False)
class Ledger:
    """The jobs that this run has created, and how many it may create."""

    most: int
    """The most jobs that the run may create."""
    tell: Callable[[str], None] = lambda _: None
    """Reports the id of each new job at once, so that the user has it even if the kit is killed."""
    spent: int = field(default=0, init=False)
    jobs: dict[str, Target] = field(factory=dict[str, Target], init=False)
    _over: set[str] = field(factory=set[str], init=False)

    async def spend(self) -> None:
        """Count a create request; raise OverBudget if the limit is reached."""
        if self.spent >= self.most:
            limit = count_of(self.most, "job")
            raise OverBudget(f"the limit of {limit} was reached; raise it with --max-jobs")
        self.spent += 1

    async def made(self, job: str, target: Target) -> None:
        """Record a job that this run has created, and the target whose token can cancel it."""
        if job not in self.jobs:
            self.jobs[job] = target
            self.tell(job)

    def over(self, job: str) -> None:
        """Record that a job has ended, so that it is not cancelled after the run."""
        self._over.add(job)

    async def settle(self, target: Target) -> list[str]:
        """Cancel every job that is not over; return a shell command for each job that is left.

        `target` has the backend's current address, which a restart may have changed. A backend that
        is unreachable has a few seconds to come back.
        """
        left = dict.fromkeys(job for job in self.jobs if job not in self._over)
        limit = anyio.CapacityLimiter(8)

        async def end(job: str) -> None:
            async with limit:
                if await _ended(job, self._where(job, target)):
                    del left[job]

        with anyio.move_on_after(_MOST_SECONDS, shield=True):
            async with anyio.create_task_group() as group:
                for job in tuple(left):
                    group.start_soon(end, job)
        return sorted(_by_hand(job, self._where(job, target), target) for job in left)

    def _where(self, job: str, target: Target) -> Target:
        return evolve(self.jobs[job], address=target.address)


async def _ended(job: str, target: Target) -> bool:
    """Cancel a job; return True if it has ended, will end, or does not exist."""
    for pause in _PAUSES:
        await anyio.sleep(pause)
        cancel = await _request(target, "POST", target.job(job, "/cancel"))
        if cancel.ok or cancel.status in _NO_SUCH_JOB:
            return True
        if cancel.status:
            look = await _request(target, "GET", target.job(job))
            if look.status in _NO_SUCH_JOB or look.job_status in OVER:
                return True
        if 0 < cancel.status < 500 and cancel.status not in _LATER:  # noqa: PLR2004 - HTTP
            return False
    return False


async def _request(target: Target, method: str, path: str) -> Answer:
    """Send a request and return as much of the response as arrived in time."""
    body = bytearray()
    try:
        wire = await Wire.to(target, _SECONDS)
    except Unreachable:
        return Answer(route="job", status=0, headers=(), body=b"", ended="")
    with anyio.move_on_after(_SECONDS):
        headers = target.headers(target.token)
        headers += [("Content-Length", "0")] if method == "POST" else []
        await wire.send(method, path, headers)
        await wire.head()
        while len(body) < _LONGEST_BODY and (piece := await wire.body()):
            body += piece
    await wire.close()
    return Answer(
        route="job", status=wire.status, headers=wire.headers, body=bytes(body), ended=wire.ended
    )


def _by_hand(job: str, own: Target, target: Target) -> str:
    url = f"{own.scheme}://{own.authority}{own.job(job, '/cancel')}"
    token = "ARKOR_TOKEN" if own.token == target.token else "ARKOR_OTHER_TOKEN"
    return f'curl -X POST -H "Authorization: Bearer ${token}" {quoting.joined([url])}'
