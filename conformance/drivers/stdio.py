"""The plumbing of a driver in Python: JSON lines in and out, one client per case, virtual time.

It knows `arkor-drive/1` from the driver's side. It refuses to know any client: an adapter brings
one, by opening it for a case and by naming the kinds of its errors. Whoever writes a driver in
another language finds here everything that a driver has to do.
"""

import json
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Protocol

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup, TaskStatus
from attrs import define, field, frozen

from conformance.drivers.clocks import Clock, VirtualClock, WallClock
from conformance.reading import Json, Table, parse_json

_BLOCK: Final = 1 << 16
_STDIN: Final = 0
VIRTUAL: Final = "virtual"
"""The kit's word in `hello` for a time that it moves itself."""


@frozen
class Failure:
    """How an operation failed, in the protocol's words."""

    kind: str
    message: str
    status: int | None = None

    def as_message(self) -> Mapping[str, Json]:
        """Return what stands under `error` in an answer."""
        status = {} if self.status is None else {"status": self.status}
        return {"kind": self.kind, "message": self.message, **status}


class Provoked(Exception):
    """What a callback of the driver throws when the case says so."""


class Client(Protocol):
    """What an adapter opens for a case."""

    async def start(self) -> Mapping[str, object]:
        """Submit the job; return `{job_id}`."""
        ...

    async def wait(self) -> Mapping[str, object]:
        """Follow the job to its end; return `{job, artifacts, …}`."""
        ...

    async def cancel(self) -> None:
        """Ask the backend to stop the job."""
        ...

    def abort(self, reason: str) -> None:
        """End the local wait."""
        ...


@define
class Desk:
    """What an adapter needs of the kit while a case is open: time, chance, and an ear."""

    config: Mapping[str, Json]
    clock: Clock
    client: Client | None = None
    _called: dict[str, int] = field(factory=dict[str, int], init=False)
    _rolled: int = field(default=0, init=False)

    def random(self) -> float:
        """Return the next of the case's rolls, used in turn and repeated."""
        rolls = self.config.get("rng")
        if isinstance(rolls, str) or not isinstance(rolls, list) or not rolls:
            return 0.5
        roll = rolls[self._rolled % len(rolls)]
        self._rolled += 1
        return float(roll) if isinstance(roll, int | float) else 0.5

    async def heard(self, name: str, data: Mapping[str, object]) -> None:
        """Report a callback and do in it what the case says; raises Provoked."""
        self._called[name] = self._called.get(name, 0) + 1
        emit({"event": "callback", "name": name, "data": data})
        if self._due("abort_in", name) and self.client:
            self.client.abort("the case aborts in a callback")
        if self._due("cancel_in", name) and self.client:
            await self.client.cancel()
        if self._due("throw_in", name):
            raise Provoked(f"the case throws in {name}")

    def _due(self, trigger: str, name: str) -> bool:
        wanted = self.config.get(trigger)
        if not isinstance(wanted, Mapping) or wanted.get("callback") != name:
            return False
        return wanted.get("nth", 1) == self._called[name]


Opener = Callable[[Desk], AbstractAsyncContextManager[Client]]
Explain = Callable[[Exception], Failure]


def emit(message: Mapping[str, object]) -> None:
    """Print one message, at once: what is said before a request must be read before it."""
    sys.stdout.write(json.dumps(message, separators=(",", ":"), default=_plain) + "\n")
    sys.stdout.flush()


def _plain(value: Mapping[str, object]) -> dict[str, object]:
    """Turn a read-only mapping into what JSON can write."""
    return dict(value)


@define
class _OpenCase:
    """One case: its client lives in a task of its own, and so does every operation."""

    opener: Opener
    explain: Explain
    clock: Clock
    desk: Desk | None = None
    client: Client | None = None
    _closing: anyio.Event = field(factory=anyio.Event, init=False)
    _closed: anyio.Event = field(factory=anyio.Event, init=False)
    _group: TaskGroup | None = None

    async def run(self, config: Mapping[str, Json], *, task_status: TaskStatus[None]) -> None:
        """Hold the client open until `close`."""
        async with anyio.create_task_group() as group:
            self.desk = Desk(config, self.clock)
            async with self.opener(self.desk) as client:
                self.client = self.desk.client = client
                self._group = group
                task_status.started()
                await self._closing.wait()
                group.cancel_scope.cancel()
        self._closed.set()

    async def close(self) -> None:
        """Close the client and everything that it still does."""
        self._closing.set()
        await self._closed.wait()

    def do(self, number: Json, name: Json, reason: Json) -> None:
        """Begin an operation; its answer is printed when it settles."""
        client = self.client
        if client is None or self._group is None:
            return
        match name:
            case "start":
                self._group.start_soon(self._answer, number, client.start)
            case "wait":
                self._group.start_soon(self._answer, number, client.wait)
            case "cancel":
                self._group.start_soon(self._answer, number, client.cancel)
            case _:
                client.abort(str(reason))
                emit({"re": number, "ok": {}})

    async def _answer(
        self, number: Json, operation: Callable[[], Awaitable[Mapping[str, object] | None]]
    ) -> None:
        try:
            emit({"re": number, "ok": await operation() or {}})
        except Exception as error:  # noqa: BLE001 - every failure is an answer
            emit({"re": number, "error": self.explain(error).as_message()})


async def serve(hello: Mapping[str, Json], opener: Opener, explain: Explain) -> None:
    """Speak the protocol on standard input and output until `bye` or the end of input.

    A kit that asks for real time gets it: no `clock` that is the kit's is then declared.
    """
    clock_of: Callable[[], Clock] = partial(VirtualClock, emit)
    case = _OpenCase(opener, explain, clock_of())
    async with anyio.create_task_group() as group:
        async for message in _commands():
            number = message.get("id")
            match message.get("do"):
                case "hello":
                    if message.get("time", VIRTUAL) != VIRTUAL:
                        hello, clock_of = _in_real_time(hello), WallClock
                    emit({"re": number, "ok": hello})
                case "open":
                    case = _OpenCase(opener, explain, clock_of())
                    config = message.get("config")
                    await group.start(case.run, config if isinstance(config, dict) else {})
                    emit({"re": number, "ok": {}})
                case "wake":
                    case.clock.advance(message.get("ms"))
                    case.clock.wake(message.get("n"))
                    if number is not None:
                        emit({"re": number, "ok": {}})
                case "close":
                    await case.close()
                    emit({"re": number, "ok": {}})
                case "bye":
                    emit({"re": number, "ok": {}})
                    break
                case name:
                    case.do(number, name, message.get("reason"))
                    # What has begun must be seen to have begun before the next line is answered.
                    await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()


def _in_real_time(hello: Mapping[str, Json]) -> Mapping[str, Json]:
    names = Table("hello", hello).texts("capabilities")
    return {**hello, "capabilities": [name for name in names if not name.startswith("clock.")]}


async def _commands() -> AsyncGenerator[Mapping[str, Json], None]:
    os.set_blocking(_STDIN, False)
    partial = b""
    while True:
        await anyio.wait_readable(_STDIN)
        block = os.read(_STDIN, _BLOCK)
        if not block:
            return
        *lines, partial = (partial + block).split(b"\n")
        for line in lines:
            message = parse_json(line)
            if isinstance(message, Mapping):
                yield message
