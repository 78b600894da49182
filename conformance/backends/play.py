"""What a case can do: send requests, follow jobs, use the control program, report broken rules."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

import anyio
from attrs import define, evolve

from conformance.backends.account import NotReached
from conformance.backends.answer import Answer, is_text
from conformance.backends.bounds import Amounts
from conformance.backends.control import Control, ControlFailed
from conformance.backends.exchanges import OWN, Exchanges
from conformance.backends.ledger import Ledger
from conformance.backends.supply import Seen
from conformance.strict_data import Json
from conformance.trace.events import Noted

_A = TypeVar("_A")


@define(eq=False, kw_only=True)
class Play(Exchanges):
    """A case that is being played: its trace, its findings, and the operations that it may use."""

    amounts: Amounts
    ledger: Ledger
    control: Control | None
    random: Random

    async def seen(self) -> Seen:
        """Return the job that every run follows, and make its trace the trace of this case."""
        seen = await self.supply.seen()
        self.adopt(seen.trace)
        return seen

    async def at_once(self, *calls: Callable[[], Awaitable[_A]]) -> list[_A]:
        """Run several calls at the same time; return the results in order of arrival."""
        found: list[_A] = []

        async def one(call: Callable[[], Awaitable[_A]]) -> None:
            found.append(await call())

        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(one, call)
        return found

    async def create(
        self,
        *,
        key: str | None = None,
        body: object = None,
        expected: bool = True,
        token: object = OWN,
        org: str | None = None,
        project: str | None = None,
        kind: str = "application/json",
    ) -> Answer:
        """Submit a job and record every id in the response, so that the job can be cancelled.

        A request that is not `expected` to create a job does not count against the limit.
        """
        if expected:
            await self.ledger.spend()
        sent = self.target.body if body is None else body
        raw = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        more = {} if key is None else {"Idempotency-Key": key}
        path = self.target.jobs(org=org, project=project)
        answer = await self.ask("create", path, "POST", token=token, body=raw, kind=kind, more=more)
        if answer.made:
            where = evolve(
                self.target,
                token=token if isinstance(token, str) else self.target.token,
                org=org or self.target.org,
                project=project or self.target.project,
            )
            await self.ledger.made(answer.made, where)
        return answer

    def controls(self, *words: str) -> bool:
        """Return whether the kit may create jobs and the control program has these commands."""
        return self.control is not None and self.control.has(*words) and not self.supply.followed

    async def make(self, do: str, **arguments: Json) -> Mapping[str, Json]:
        """Send a command to the control program; return its answer, or raise NotReached."""
        control = self.control
        if control is None or not control.has("hold" if do in {"held", "release"} else do):
            raise NotReached(f"needs a control program with the command `{do}`")
        shown = "".join(f" {name} {value}" for name, value in arguments.items() if name != "token")
        if not self.quiet:
            self.record(Noted("kit", f"to the control program: {do}{shown}"))
        try:
            return (await control.ask(do, arguments)).values
        except ControlFailed as error:
            if control.ended:
                raise
            raise NotReached(str(error)) from error

    async def quiet_job(self) -> str:
        """Return a new job that emits nothing on its own."""
        made: Json = None
        with anyio.CancelScope(shield=True):  # its id must be recorded, like that of a create
            made = (await self.make("job")).get("id")
        if not (isinstance(made, str) and made and is_text(made)):
            raise NotReached("the control program returned a job without an id")
        await self.ledger.made(made, self.target)
        return made

    async def emit(self, job: str, number: int, size: int = 0) -> list[str]:
        """Emit events for a job through the control program; return their ids."""
        arguments: dict[str, Json] = {"job": job, "n": number}
        if size:
            arguments["bytes"] = size
        ids = (await self.make("emit", **arguments)).get("ids")
        if isinstance(ids, str) or not isinstance(ids, Sequence):
            raise NotReached("the control program emitted events without returning their ids")
        return [each for each in ids if isinstance(each, str)]

    async def any_job(self) -> str:
        """Return a new quiet job if possible, otherwise the job that every run follows."""
        if self.controls("job"):
            return await self.quiet_job()
        return (await self.supply.seen()).job

    async def job_with_events(self) -> tuple[str, Sequence[str]]:
        """Return a job with events, either new or the one that every run follows, and their ids."""
        if self.controls("job", "emit"):
            return await self.running_job()
        seen = await self.supply.seen()
        return seen.job, seen.ids

    async def running_job(self, events: int = 3) -> tuple[str, list[str]]:
        """Return a new job with some events, and the ids of the events."""
        job = await self.quiet_job()
        return job, await self.emit(job, events)

    async def ended_job(self, events: int = 4) -> tuple[str, list[str]]:
        """Return a new job that has completed, and the ids of its events."""
        job, ids = await self.running_job(events)
        last = (await self.make("finish", job=job)).get("id")
        return job, [*ids, *([last] if isinstance(last, str) else [])]

    async def rotate(self) -> None:
        """Restart the backend; its address may change."""
        moved = (await self.make("rotate")).get("base_url")
        if isinstance(moved, str):
            self.supply.moved(moved)
            self.target = self.supply.target
