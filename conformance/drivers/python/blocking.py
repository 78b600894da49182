"""The driver of the blocking reference client, `arkor_proto.transports.blocking`.

The operations run in threads, which call into the event loop through a portal.
"""

import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final, TypeVar

import anyio
from anyio import to_thread
from anyio.from_thread import BlockingPortal
from attrs import frozen

from arkor_proto import Timer, TrainingEvent, encode_job
from arkor_proto.transports.blocking import ArkorClient, Callbacks, Checkpoint, Trainer
from conformance.drivers.python import translation as to
from conformance.drivers.python.clocks import Clock, VirtualClock
from conformance.drivers.python.stdio import Desk, serve
from conformance.strict_data import Json

Ready = TypeVar("Ready")
Result = TypeVar("Result")

_CALL: Final = threading.local()
"""Per thread: the event `entered`, which is set once the client has begun the operation."""
_GLANCE: Final = 0.005
"""How often, in seconds, a thread checks whether the kit has ended its sleep."""


@frozen
class _Clock:
    clock: Clock
    portal: BlockingPortal

    def time(self) -> float:
        if (entered := getattr(_CALL, "entered", None)) is not None:
            entered.set()
        return self.clock.time()  # must not wait for the event loop: the client holds its lock

    def wait(
        self, select: Callable[[float | None], Ready], deadline: float | None, timer: Timer | None
    ) -> Ready:
        if deadline is None or (timer is None and isinstance(self.clock, VirtualClock)):
            return select(None)
        if not isinstance(self.clock, VirtualClock):
            return select(max(0.0, deadline - self.time()))
        purpose = "reconnect" if timer is Timer.RECONNECT else "idle"
        sleep = self.portal.start_task_soon(self.clock.sleep_until, deadline, purpose)
        while not sleep.done():
            if ready := select(_GLANCE):
                sleep.cancel()
                return ready
        return select(0)


@frozen
class _Client:
    trainer: Trainer
    portal: BlockingPortal
    reporting: threading.Lock
    """Held from the start of a callback until it has been reported."""

    async def start(self) -> Mapping[str, object]:
        return {"job_id": await self._in_thread(self.trainer.start)}

    async def wait(self) -> Mapping[str, object]:
        result = await self._in_thread(self.trainer.wait)
        return {"job": encode_job(result.job), "artifacts": result.artifacts}

    async def cancel(self) -> None:
        await self._in_thread(self.trainer.cancel)

    def abort(self, reason: str) -> None:
        self.trainer.abort(reason)
        with self.reporting:  # a callback that began before the abort is reported before it
            pass

    async def _in_thread(self, operation: Callable[[], Result]) -> Result:
        """Run an operation in a thread and return its result; block the event loop until it begins.

        The operation has begun once the client reads the clock, because it then holds its lock. The
        thread is not joined, because closing the client ends the operation.
        """
        entered, done, outcome = threading.Event(), anyio.Event(), Future[Result]()

        async def finish() -> None:
            done.set()

        def run() -> None:
            _CALL.entered = entered
            try:
                outcome.set_result(operation())
            except BaseException as error:  # noqa: BLE001 - it is the outcome
                outcome.set_exception(error)
            entered.set()
            with suppress(RuntimeError):  # the case is over
                self.portal.start_task_soon(finish)

        threading.Thread(target=run, daemon=True).start()
        entered.wait()
        await done.wait()
        return outcome.result()


@asynccontextmanager
async def open_client(desk: Desk) -> AsyncGenerator[_Client, None]:
    """Open a client for a case, and close it at the end."""
    reporting = threading.Lock()
    async with BlockingPortal() as portal:

        def hear(name: str, event: TrainingEvent | Checkpoint) -> None:
            with reporting:
                data = to.event_data(event.saved if isinstance(event, Checkpoint) else event)
                adapter = {"adapter": event.adapter} if isinstance(event, Checkpoint) else {}
                desk.report(name, {**data, **adapter})
            portal.call(desk.obey, name)

        callbacks = Callbacks(
            on_started=partial(hear, "started"),
            on_log=partial(hear, "log"),
            on_checkpoint=partial(hear, "checkpoint"),
            on_completed=partial(hear, "completed"),
            on_failed=partial(hear, "failed"),
        )
        settings = to.settings_of(desk.config, desk.random)
        client = ArkorClient(clock=_Clock(desk.clock, portal), **settings)
        try:
            yield _Client(_trainer_of(client, desk.config, callbacks), portal, reporting)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(client.close)
                await portal.stop(cancel_remaining=True)


def _trainer_of(client: ArkorClient, config: Mapping[str, Json], callbacks: Callbacks) -> Trainer:
    job = to.job_of(config)
    if isinstance(job, str):
        cursor = str(config.get("last_event_id", ""))
        return client.attach(job, last_event_id=cursor, callbacks=callbacks)
    return client.trainer(
        job.name,
        model=job.model,
        dataset=job.dataset,
        lora=job.lora,
        callbacks=callbacks,
        **job.options,
    )


if __name__ == "__main__":
    anyio.run(serve, to.hello("blocking"), open_client, to.explain)
