"""The reference driver as one that never heard of virtual time: it really sleeps, always.

`sleeper.py [MUTANT]` breaks its client first.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from conformance.drivers import translation as to
from conformance.drivers.clocks import WallClock
from conformance.drivers.reference import open_client
from conformance.drivers.stdio import Client, Desk, serve
from conformance.reading import Table

_NEVER = {"clock.virtual", "rng"}


@asynccontextmanager
async def _open(desk: Desk) -> AsyncGenerator[Client, None]:
    desk.clock = WallClock()
    async with open_client(desk) as client:
        yield client


def _break(name: str) -> None:
    # Imported only now: a driver that is not broken needs no mutants.
    from conformance.mutants import all_mutants  # noqa: PLC0415

    next(mutant for mutant in all_mutants() if mutant.name == name).apply()


if __name__ == "__main__":
    for mutant in sys.argv[1:]:
        _break(mutant)
    names = [n for n in Table("hello", to.HELLO).texts("capabilities") if n not in _NEVER]
    anyio.run(serve, {**to.HELLO, "capabilities": names}, _open, to.explain)
