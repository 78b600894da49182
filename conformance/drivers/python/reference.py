"""The driver of the reference client, `arkor_proto.transports.anyio`."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio
from attrs import frozen

from arkor_proto import Timer, TrainingEvent, encode_job
from arkor_proto.transports.anyio import Checkpoint, Trainer
from conformance.drivers.python import translation as to
from conformance.drivers.python.clocks import Clock
from conformance.drivers.python.stdio import Desk, serve


@frozen
class _Clock:
    clock: Clock

    def time(self) -> float:
        return self.clock.time()

    async def sleep_until(self, deadline: float, timer: Timer) -> None:
        purpose = "reconnect" if timer is Timer.RECONNECT else "idle"
        await self.clock.sleep_until(deadline, purpose)


@frozen
class _Client:
    trainer: Trainer

    async def start(self) -> Mapping[str, object]:
        return {"job_id": await self.trainer.start()}

    async def wait(self) -> Mapping[str, object]:
        result = await self.trainer.wait()
        return {"job": encode_job(result.job), "artifacts": result.artifacts}

    async def cancel(self) -> None:
        await self.trainer.cancel()

    def abort(self, reason: str) -> None:
        self.trainer.abort(reason)


@asynccontextmanager
async def open_client(desk: Desk) -> AsyncGenerator[_Client, None]:
    """Open the client for a case."""

    async def hear(name: str, event: TrainingEvent | Checkpoint) -> None:
        await desk.heard(name, to.event_data(event))

    async with to.client_of(desk.config, _Clock(desk.clock), desk.random) as client:
        yield _Client(to.trainer_of(client, desk.config, hear))


if __name__ == "__main__":
    anyio.run(serve, to.HELLO, open_client, to.explain)
