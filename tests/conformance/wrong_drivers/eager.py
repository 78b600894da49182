"""The reference driver, but it announces sleeps without sleeping: `eager.py says-so|is-silent`.

Time passes by itself, as with a clock that the driver forgot to replace.
"""

import itertools
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager

import anyio
from attrs import define, field

from conformance.drivers.python import translation as to
from conformance.drivers.python.clocks import WallClock
from conformance.drivers.python.lines import emit
from conformance.drivers.python.reference import open_client
from conformance.drivers.python.stdio import Client, Desk, serve
from conformance.strict_data import Json


@define
class _EagerClock:
    wall: WallClock = field(factory=WallClock, init=False)
    numbers: Iterator[int] = field(factory=lambda: itertools.count(1), init=False)

    def time(self) -> float:
        return self.wall.time()

    async def sleep_until(self, deadline: float, purpose: str) -> None:
        number = next(self.numbers)
        ms = max(0.0, deadline - self.time()) * 1000
        emit({"event": "sleep", "n": number, "ms": ms, "purpose": purpose})
        if purpose == "idle":
            await anyio.sleep_forever()
        if sys.argv[1] == "says-so":
            emit({"event": "sleep_end", "n": number, "why": "woken"})

    def wake(self, number: Json) -> None:
        self.wall.wake(number)

    def advance(self, ms: Json) -> None:
        self.wall.advance(ms)


@asynccontextmanager
async def _open(desk: Desk) -> AsyncGenerator[Client, None]:
    desk.clock = _EagerClock()
    async with open_client(desk) as client:
        yield client


if __name__ == "__main__":
    anyio.run(serve, to.HELLO, _open, to.explain)
