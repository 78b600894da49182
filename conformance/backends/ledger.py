"""The jobs of a run: how many it may create, which it made, and that none of them goes on."""

from collections.abc import Callable

import anyio
from attrs import define, field

from arkor_proto.cli import quoting
from conformance.backends.target import Target
from conformance.backends.wire import COMPLETE, Unreachable, Wire

OVER = ("completed", "failed", "cancelled")
_SECONDS = 5.0


class OverBudget(Exception):
    """The run may not create another job."""


@define(eq=False)
class Ledger:
    """Every id that an answer has shown after a create of this run, and no other."""

    most: int
    """How many jobs may be created."""
    tell: Callable[[str], None] = lambda _: None
    """Writes an id down before it is used, so that it is known even if the kit is killed."""
    spent: int = field(default=0, init=False)
    jobs: dict[str, Target] = field(factory=dict[str, Target], init=False)

    async def spend(self) -> None:
        """Count a create; raises OverBudget."""
        if self.spent >= self.most:
            raise OverBudget(f"it would create more than {self.most} jobs; see --max-jobs")
        self.spent += 1

    async def made(self, job: str, target: Target) -> None:
        """Write a job down that this run has made."""
        if job not in self.jobs:
            self.jobs[job] = target
            self.tell(job)

    async def settle(self, target: Target) -> list[str]:
        """Cancel every job that is not over; return the commands for those that are left.

        `target` is where the backend is now: it may have moved.
        """
        left: list[str] = []
        limit = anyio.CapacityLimiter(8)

        async def end(job: str) -> None:
            async with limit:
                if not await _ended(job, target):
                    left.append(_by_hand(job, target))

        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as group:
                for job in self.jobs:
                    group.start_soon(end, job)
        return sorted(left)


async def _ended(job: str, target: Target) -> bool:
    """Cancel a job; tell whether it is over, will be, or does not exist."""
    status = await _request(target, "POST", target.job(job, "/cancel"))
    # 409 and its like: it is over already. 404: it never existed.
    return status is not None and status < 500 and status not in {401, 403, 408, 429}  # noqa: PLR2004 - HTTP


async def _request(target: Target, method: str, path: str) -> int | None:
    with anyio.move_on_after(_SECONDS):
        try:
            wire = await Wire.to(target, _SECONDS)
        except Unreachable:
            return None
        headers = [
            ("Host", target.authority),
            ("Authorization", f"Bearer {target.token}"),
            ("X-Arkor-Client", "arkor-conformance/1"),
            ("Content-Length", "0"),
        ]
        await wire.send(method, path, headers)
        await wire.head()
        status = wire.status or None
        while wire.status and not wire.ended and await wire.body():
            pass
        await wire.close()
        return status if wire.ended == COMPLETE or status else None
    return None


def _by_hand(job: str, target: Target) -> str:
    url = f"{target.scheme}://{target.authority}{target.job(job, '/cancel')}"
    header = "Authorization: Bearer $ARKOR_TOKEN"
    return f'curl -X POST -H "{header}" {quoting.joined([url])}'
