"""The adapters of the two transports of this project: what their author would write."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from attrs import frozen

from arkor_proto import Timer, TrainingResult
from arkor_proto.transports import anyio as asynchronous
from arkor_proto.transports import blocking
from conformance.transport_suite import Setup, VirtualClock

Ready = TypeVar("Ready")


@frozen
class AsyncClock:
    """The clock of a check, as the asynchronous client asks for it."""

    virtual: VirtualClock

    def time(self) -> float:
        """Return the time."""
        return self.virtual.time()

    async def sleep_until(self, deadline: float, timer: Timer) -> None:
        """Return at once, or never."""
        if not self.virtual.passes(deadline, timer):
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def open_anyio(setup: Setup) -> AsyncGenerator[asynchronous.Trainer, None]:
    """Open a trainer of the asynchronous client."""
    hear = setup.on_event_async
    callbacks = asynchronous.Callbacks(
        on_started=hear,
        on_log=hear,
        on_checkpoint=lambda checkpoint: hear(checkpoint.saved),
        on_completed=hear,
        on_failed=hear,
        on_reconnect=setup.on_notice,
        on_notice=setup.on_notice,
    )
    async with asynchronous.ArkorClient(
        setup.base_url,
        token=setup.token,
        org=setup.org,
        project=setup.project,
        profile=setup.profile,
        policy=setup.policy,
        random=None,
        clock=None if setup.clock is None else AsyncClock(setup.clock),
        timeouts=asynchronous.Timeouts(connect=setup.connect_timeout, head=setup.head_timeout),
        ssl_context=setup.ssl_context,
    ) as client:
        if setup.job is not None:
            yield client.attach(setup.job, last_event_id=setup.last_event_id, callbacks=callbacks)
        else:
            yield client.trainer(
                setup.name, model=setup.model, dataset=setup.dataset, callbacks=callbacks
            )


@frozen
class BlockingClock:
    """The clock of a check, as the blocking client asks for it."""

    virtual: VirtualClock

    def time(self) -> float:
        """Return the time."""
        return self.virtual.time()

    def wait(
        self,
        select: Callable[[float | None], Ready],
        deadline: float | None,
        timer: Timer | None,
    ) -> Ready:
        """Return at once at a deadline that passes, else when something else ends the wait."""
        if deadline is None or timer is None or not self.virtual.passes(deadline, timer):
            return select(None)
        return select(0)


@frozen
class BlockingClient:
    """A trainer of the blocking client, and the client to close."""

    trainer: blocking.Trainer
    client: blocking.ArkorClient

    def start(self) -> str:
        """Submit the job."""
        return self.trainer.start()

    def wait(self) -> TrainingResult:
        """Follow the job."""
        return self.trainer.wait()

    def cancel(self) -> None:
        """Cancel the job."""
        self.trainer.cancel()

    def abort(self, reason: object, /) -> None:
        """Abort the wait."""
        self.trainer.abort(reason)

    def close(self) -> None:
        """Close the client."""
        self.client.close()


def open_blocking(setup: Setup) -> BlockingClient:
    """Open a trainer of the blocking client."""
    hear = setup.on_event
    callbacks = blocking.Callbacks(
        on_started=hear,
        on_log=hear,
        on_checkpoint=lambda checkpoint: hear(checkpoint.saved),
        on_completed=hear,
        on_failed=hear,
        on_reconnect=setup.on_notice,
        on_notice=setup.on_notice,
    )
    client = blocking.ArkorClient(
        setup.base_url,
        token=setup.token,
        org=setup.org,
        project=setup.project,
        profile=setup.profile,
        policy=setup.policy,
        random=None,
        clock=None if setup.clock is None else BlockingClock(setup.clock),
        timeouts=blocking.Timeouts(connect=setup.connect_timeout, head=setup.head_timeout),
        ssl_context=setup.ssl_context,
    )
    if setup.job is not None:
        trainer = client.attach(setup.job, last_event_id=setup.last_event_id, callbacks=callbacks)
    else:
        trainer = client.trainer(
            setup.name, model=setup.model, dataset=setup.dataset, callbacks=callbacks
        )
    return BlockingClient(trainer, client)
