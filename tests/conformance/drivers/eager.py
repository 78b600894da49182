"""The reference driver, but its sleeps are announced and never slept: `eager.py says-so|is-silent`.

Time goes on by itself, as with a clock that the driver forgot to hook.
"""

import itertools
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import anyio
from attrs import define, field

from arkor_proto import Timer, TrainingEvent
from arkor_proto.transports.anyio import Checkpoint
from conformance.drivers import translation as to
from conformance.drivers.reference import ReferenceClient
from conformance.drivers.stdio import Desk, emit, serve


@define
class _EagerClock:
    desk: Desk
    tells: bool
    _numbers: Iterator[int] = field(factory=lambda: itertools.count(1), init=False)

    def time(self) -> float:
        return self.desk.time()

    async def sleep_until(self, deadline: float, timer: Timer) -> None:
        number = next(self._numbers)
        purpose = "reconnect" if timer is Timer.RECONNECT else "idle"
        ms = max(0.0, deadline - self.time()) * 1000
        emit({"event": "sleep", "n": number, "ms": ms, "purpose": purpose})
        if purpose == "idle":
            await anyio.sleep_forever()
        if self.tells:
            emit({"event": "sleep_end", "n": number, "why": "woken"})


@asynccontextmanager
async def _open(desk: Desk) -> AsyncGenerator[ReferenceClient, None]:
    async def hear(name: str, event: TrainingEvent | Checkpoint) -> None:
        await desk.heard(name, to.event_data(event))

    clock = _EagerClock(desk, sys.argv[1] == "says-so")
    async with to.client_of(desk.config, clock, desk.random) as client:
        yield ReferenceClient(to.trainer_of(client, desk.config, hear))


if __name__ == "__main__":
    anyio.run(serve, to.HELLO, _open, to.explain)
