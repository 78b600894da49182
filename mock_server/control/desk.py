# ruff: noqa: RUF009 - needed() declares an attribute, as attrs.field() does
"""Carry out the commands of `arkor-control/1` on one mock."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Final, TypeVar

import anyio.lowlevel
import attrs
from attrs import define, field, frozen

from arkor_proto import __version__
from mock_server.backend.events import Data, completed, failed, logged, padded, started
from mock_server.backend.jobs import Job, JobEnded
from mock_server.net.handoff import Hold
from mock_server.redaction import quoted
from mock_server.scenario.behaviour import Tenant
from mock_server.scenario.model import JobPlan
from mock_server.scenario.vocabulary import FRAME, Route
from mock_server.scenario.words.end import Ending
from mock_server.server import MockServer
from mock_server.strict.shapes import ScenarioError, choice, integer, nearest, text
from mock_server.strict.words import needed, table, word

PROTOCOL: Final = "arkor-control/1"
_NOTE: Final = "käfer \N{EN DASH} 𝄞"
_MOST: Final = 100_000
_AT_ONCE: Final = 64
"""How many events are added before other tasks, such as those that send streams, get to run."""
Answer = Mapping[str, object]
R = TypeVar("R", bound=attrs.AttrsInstance)


class Refused(Exception):
    """A command cannot be carried out; the message says why."""


class Cut(StrEnum):
    """How a stream's connection is closed: with a TCP FIN or a TCP RST."""

    FIN = "fin"
    RST = "rst"


@frozen(kw_only=True)
class _Nothing:
    """No arguments, for commands that take none."""


@frozen(kw_only=True)
class _Hello:
    protocol: str = needed(text(100), "the control protocol that the parent process uses")


@frozen(kw_only=True)
class _OfJob:
    job: str = needed(text(1000), "the job's id")


@frozen(kw_only=True)
class _Emit(_OfJob):
    n: int = needed(integer(1, _MOST), "how many events to add")
    length: int = word(
        integer(0, 1 << 24),
        "the minimum size of each event's data, in bytes",
        default=0,
        name="bytes",
    )


@frozen(kw_only=True)
class _Fail(_OfJob):
    error: str = word(text(), "the job's error", default="the job failed")


@frozen(kw_only=True)
class _Drop(_OfJob):
    how: Cut = needed(choice(Cut), "how to cut the job's streams")


@frozen(kw_only=True)
class _Forget(_OfJob):
    keep: int = needed(integer(0, _MOST), "how many of the newest events to keep")


@frozen(kw_only=True)
class _Revoke:
    token: str = needed(text(), "the token", secret=True)


@define(eq=False)
class Desk:
    """Carries out control commands on one mock; new jobs belong to one of its tenants."""

    server: MockServer
    token: str = field(init=False, repr=False)
    org: str = field(default="acme", init=False)
    project: str = field(default="adapters", init=False)
    over: bool = field(default=False, init=False)
    """Whether the parent has sent `bye`."""
    holds: dict[str, list[Hold]] = field(factory=dict[str, list[Hold]], init=False)
    """The holds that have not been released yet, by the id of the job that they are on."""

    def __attrs_post_init__(self) -> None:
        plan = self.server.scenario.backend
        self.token = plan.token or secrets.token_urlsafe(24)
        for tenant in plan.tenants[:1]:
            self.token, self.org, self.project = tenant.token, tenant.org, tenant.projects[0]

    async def answer(self, message: Mapping[str, object]) -> Answer:
        """Carry out one command and return its reply, a JSON object."""
        number = message.get("id")
        try:
            return {"re": number, "ok": await self._carry_out(message)}
        except ScenarioError as error:
            why = "; ".join(map(str, error.mistakes))
        except (Refused, JobEnded) as error:
            why = str(error)
        return {"re": number, "error": {"message": why}}

    async def _carry_out(self, message: Mapping[str, object]) -> Answer:
        name, number = message.get("do"), message.get("id")
        if not isinstance(number, int) or isinstance(number, bool):
            raise Refused("the command needs an 'id' that is a whole number")
        if not isinstance(name, str):
            raise Refused("the command needs a 'do' that is a string")
        if name not in _COMMANDS:
            raise Refused(f"{quoted(name)} is not a command; {nearest(name, _COMMANDS)}")
        words = {key: value for key, value in message.items() if key not in {"id", "do"}}
        return await _COMMANDS[name](self, words, name)

    def job(self, name: str) -> Job:
        """Return a job by its id; raise Refused if there is none."""
        job = self.server.jobs.get(name)
        if job is None:
            raise Refused(f"job {quoted(name)} not found")
        return job

    def held(self, name: str) -> list[Hold]:
        """Return the unreleased holds on a job; raise Refused if there are none."""
        holds = self.holds.get(self.job(name).id)
        if not holds:
            raise Refused(f"job {quoted(name)} has no hold; send 'hold' first")
        return holds

    def push(self, job: Job, data: Data) -> str | None:
        """Append an event to a job's log and return the event's id."""
        frame = FRAME.read({"event": data["type"], "json": data}, "event")
        return self.server.push_to(job, frame).id


async def _hello(desk: Desk, given: _Hello) -> Answer:
    if given.protocol != PROTOCOL:
        asked = quoted(given.protocol)
        raise Refused(f"hello: unknown protocol {asked}; this program supports {PROTOCOL}")
    other = desk.server.scenario.backend.tenants[1:2]
    return {
        "impl": "arkor-mock",
        "version": __version__,
        "words": list(WORDS),
        "base_url": desk.server.base_url,
        "token": desk.token,
        **(_other(other[0]) if other else {}),
        "org": desk.org,
        "project": desk.project,
        "keep": _MOST,
    }


def _other(tenant: Tenant) -> Answer:
    """Return the part of the reply to `hello` that lets the kit act as a second tenant."""
    return {
        "other_token": tenant.token,
        "other_org": tenant.org,
        "other_project": tenant.projects[0],
    }


async def _job(desk: Desk, _: _Nothing) -> Answer:
    plans = [plan for plan in desk.server.scenario.jobs if not plan.submitted]
    like = plans[-1] if plans else JobPlan()
    plan = JobPlan(events=(), ids=like.ids, id_prefix=like.id_prefix)
    return {"id": desk.server.add_job(plan, org=desk.org, project=desk.project).id}


async def _emit(desk: Desk, given: _Emit) -> Answer:
    job, ids = desk.job(given.job), list[str | None]()
    for count in range(given.n):
        if count and count % _AT_ONCE == 0:
            await anyio.lowlevel.checkpoint()
        ids.append(desk.push(job, _event(job, given.length)))
    return {"ids": ids}


def _event(job: Job, length: int) -> Data:
    """Return the data of a job's next event: `training.started` first, then `training.log`."""
    step = len(job.log)
    return padded(logged(step) if step else started(job.id), length, _NOTE)


async def _finish(desk: Desk, given: _OfJob) -> Answer:
    job = desk.job(given.job)
    return {"id": desk.push(job, completed(job.id, len(job.log)))}


async def _fail(desk: Desk, given: _Fail) -> Answer:
    job = desk.job(given.job)
    return {"id": desk.push(job, failed(given.error, len(job.log)))}


async def _drop(desk: Desk, given: _Drop) -> Answer:
    job = desk.job(given.job)
    dropped = await desk.server.cut(
        lambda request: request.route is Route.STREAM and request.job == job.id,
        Ending(given.how.value),
    )
    return {"dropped": dropped}


async def _rotate(desk: Desk, _: _Nothing) -> Answer:
    await desk.server.restart()
    return {"base_url": desk.server.base_url}


async def _forget(desk: Desk, given: _Forget) -> Answer:
    desk.job(given.job).forget(given.keep)
    return {}


async def _hold(desk: Desk, given: _OfJob) -> Answer:
    job = desk.job(given.job)
    hold, holds = desk.server.hold(job.id), desk.holds.setdefault(job.id, [])
    if hold not in holds:
        holds.append(hold)
    return {}


async def _held(desk: Desk, given: _OfJob) -> Answer:
    await desk.held(given.job)[-1].held()
    return {}


async def _release(desk: Desk, given: _OfJob) -> Answer:
    holds = desk.held(given.job)
    desk.server.disarm(given.job)
    while holds:
        holds.pop().release()
    return {}


async def _revoke(desk: Desk, given: _Revoke) -> Answer:
    plan = desk.server.scenario.backend
    known = {tenant.token for tenant in plan.tenants} | ({plan.token} - {None})
    if known and given.token not in known:
        raise Refused("revoke: the backend has no such token")
    await desk.server.revoke(given.token)
    return {}


async def _bye(desk: Desk, _: _Nothing) -> Answer:
    desk.over = True
    return {}


Carry = Callable[[Desk, Mapping[str, object], str], Awaitable[Answer]]


def _reading(cls: type[R], do: Callable[[Desk, R], Awaitable[Answer]]) -> Carry:
    """Wrap a command so that its arguments are checked before it is carried out."""
    shape = table(cls, "the arguments of a command")

    async def carry(desk: Desk, words: Mapping[str, object], name: str) -> Answer:
        return await do(desk, shape.read(words, name))

    return carry


_COMMANDS: Final[Mapping[str, Carry]] = {
    "hello": _reading(_Hello, _hello),
    "job": _reading(_Nothing, _job),
    "emit": _reading(_Emit, _emit),
    "finish": _reading(_OfJob, _finish),
    "fail": _reading(_Fail, _fail),
    "drop": _reading(_Drop, _drop),
    "rotate": _reading(_Nothing, _rotate),
    "forget": _reading(_Forget, _forget),
    "hold": _reading(_OfJob, _hold),
    "held": _reading(_OfJob, _held),
    "release": _reading(_OfJob, _release),
    "revoke": _reading(_Revoke, _revoke),
    "bye": _reading(_Nothing, _bye),
}
WORDS: Final = tuple(name for name in _COMMANDS if name not in {"hello", "bye", "held", "release"})
"""The commands listed in the reply to `hello`; `hold` implies `held` and `release`."""
