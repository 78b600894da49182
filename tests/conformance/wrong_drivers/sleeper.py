"""The reference driver without support for virtual time: it always really sleeps.

Run it as `sleeper.py sound`. With `halves` it sleeps half as long as it should; with the name of a
mutant, its client has that fault.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from attrs import field, frozen

from conformance.drivers.python import translation as to
from conformance.drivers.python.clocks import WallClock
from conformance.drivers.python.reference import open_client
from conformance.drivers.python.stdio import Client, Desk, serve
from conformance.strict_data import Json, Table

_NEVER = {"clock.virtual", "rng"}


@frozen
class _HasteClock:
    wall: WallClock = field(factory=WallClock, init=False)

    def time(self) -> float:
        return self.wall.time()

    async def sleep_until(self, deadline: float, purpose: str) -> None:
        now = self.time()
        await self.wall.sleep_until(now + (deadline - now) / 2, purpose)

    def wake(self, number: Json) -> None:
        self.wall.wake(number)

    def advance(self, ms: Json) -> None:
        self.wall.advance(ms)


@asynccontextmanager
async def _open(desk: Desk) -> AsyncGenerator[Client, None]:
    desk.clock = _HasteClock() if "halves" in sys.argv else WallClock()
    async with open_client(desk) as client:
        yield client


def _break(name: str) -> None:
    # Imported only now: a driver that is not broken needs no mutants.
    from conformance.mutants import all_mutants  # noqa: PLC0415 - only for a mutant

    next(mutant for mutant in all_mutants() if mutant.name == name).apply()


if __name__ == "__main__":
    if sys.argv[1] not in {"sound", "halves"}:
        _break(sys.argv[1])
    names = [n for n in Table("hello", to.HELLO).texts("capabilities") if n not in _NEVER]
    anyio.run(serve, {**to.HELLO, "capabilities": names}, _open, to.explain)
