"""How the client's block begins and ends, on asyncio and on trio."""

import asyncio
import gc
import logging
from contextlib import AsyncExitStack
from weakref import ref

import anyio
import pytest
import sniffio

from arkor_proto import PROFILE_2026_07, LocalProtocolError, TransportError
from arkor_proto.transports.anyio import ArkorClient, Callbacks, Trainer
from tests.arkor_proto.transports.fixtures_anyio import (
    VirtualClock,
    client_of,
    serve,
    trainer_of,
)
from tests.arkor_proto.transports.peer import Visit, listening

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

HELD = {"on": {"route": "stream"}, "after": {"frames": 1}, "stall": {"gate": "never"}}


class Interrupt(BaseException):
    """What a KeyboardInterrupt is like, for those who catch Exception."""


async def test_an_error_of_the_block_leaves_it_as_it_is() -> None:
    async def wait(trainer: Trainer) -> None:
        with pytest.raises(TransportError, match="closed"):
            await trainer.wait()

    async def fail(client: ArkorClient) -> None:
        async with client:
            tasks.start_soon(wait, trainer_of(client))
            await mock.wait_for("stream", frame=1)
            raise KeyError("mine")

    async with serve(rule=[HELD]) as mock, anyio.create_task_group() as tasks:
        with pytest.raises(KeyError, match="mine"):
            await fail(client_of(mock.base_url))


async def test_an_interrupt_inside_a_callback_leaves_the_block_as_it_is() -> None:
    def hear(_: object) -> None:
        raise Interrupt

    async with serve() as mock:
        with pytest.raises(Interrupt):
            async with client_of(mock.base_url) as client:
                await trainer_of(client, Callbacks(on_started=hear)).wait()


async def test_an_interrupt_inside_a_hook_leaves_the_block_as_it_is() -> None:
    def hear(_: object) -> None:
        raise Interrupt

    rule = {"on": {"route": "stream"}, "status": 503}
    async with serve(rule=[rule]) as mock:
        with pytest.raises(Interrupt):
            async with client_of(mock.base_url) as client:
                await trainer_of(client, Callbacks(on_reconnect=hear)).wait()


async def test_a_clock_that_fails_ends_the_block_with_its_error() -> None:
    class Broken(VirtualClock):
        async def sleep_until(self, deadline: float, timer: object) -> None:
            raise ZeroDivisionError(f"{deadline} {timer}")

    rule = {"on": {"route": "stream"}, "status": 503}
    async with serve(rule=[rule]) as mock:
        with pytest.raises(ZeroDivisionError):
            async with client_of(mock.base_url, clock=Broken()) as client:
                await trainer_of(client).wait()


async def test_operations_under_way_elsewhere_end_when_the_block_does() -> None:
    errors: list[str] = []

    async def wait(trainer: Trainer) -> None:
        with pytest.raises(TransportError) as caught:
            await trainer.wait()
        errors.append(str(caught.value))

    async with serve(rule=[HELD]) as mock, anyio.create_task_group() as tasks:
        async with client_of(mock.base_url) as client:
            tasks.start_soon(wait, trainer_of(client))
            await mock.wait_for("stream", frame=1)
        await mock.wait_for("stream", ended=True)
    assert errors == ["the client was closed"]


async def test_a_call_under_way_elsewhere_ends_when_the_block_does() -> None:
    errors: list[str] = []
    came = anyio.Event()

    async def backend(visit: Visit) -> None:
        await visit.request()
        came.set()
        await visit.until_left()

    async def call(client: ArkorClient) -> None:
        with pytest.raises(TransportError) as caught:
            await client.me()
        errors.append(str(caught.value))

    async with listening(backend) as peer, anyio.create_task_group() as tasks:
        async with client_of(peer.base_url) as client:
            tasks.start_soon(call, client)
            await came.wait()
        await peer.all_left()
    assert errors == ["the client was closed"]


async def test_leaving_during_a_create_warns_that_the_job_may_exist(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rule = {"on": {"route": "create"}, "delay_ms": 600_000}
    async with (
        serve(rule=[rule]) as mock,
        client_of(mock.base_url) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(trainer_of(client).start)
        await mock.wait_for("create")
        tasks.cancel_scope.cancel()
    assert ("arkor_proto", logging.WARNING) in {r[:2] for r in caplog.record_tuples}
    assert "the backend may have created the job" in caplog.text


async def test_a_callback_that_closes_the_client_ends_the_wait() -> None:
    async with serve() as mock, AsyncExitStack() as stack:
        client = await stack.enter_async_context(client_of(mock.base_url))

        async def hear(_: object) -> None:
            await stack.aclose()

        with pytest.raises(TransportError, match="the client was closed"):
            await trainer_of(client, Callbacks(on_started=hear)).wait()


async def test_a_client_that_is_not_open_says_so() -> None:
    client = client_of("http://127.0.0.1:9")
    with pytest.raises(RuntimeError, match="client: not open"):
        trainer_of(client)
    with pytest.raises(RuntimeError, match="client: not open"):
        await client.me()


async def test_a_trainer_of_a_closed_client_says_so() -> None:
    async with serve() as mock:
        async with client_of(mock.base_url) as client:
            trainer = trainer_of(client)
        for operation in (trainer.start, trainer.wait, trainer.cancel):
            with pytest.raises(RuntimeError, match="client: not open"):
                await operation()
        trainer.abort()
        with pytest.raises(RuntimeError, match="client: not open"):
            await client.me()
        assert mock.journal == []


async def test_a_client_cannot_be_entered_twice() -> None:
    client = client_of("http://127.0.0.1:9")
    async with client:
        with pytest.raises(RuntimeError, match="already entered"):
            await client.__aenter__()
    with pytest.raises(RuntimeError, match="already entered"):
        await client.__aenter__()


async def test_a_timeout_around_the_whole_block_ends_it() -> None:
    async with serve(rule=[HELD]) as mock:
        with anyio.CancelScope() as scope:
            async with client_of(mock.base_url) as client, anyio.create_task_group() as tasks:
                tasks.start_soon(trainer_of(client).wait)
                await mock.wait_for("stream", frame=1)
                scope.cancel()
        assert scope.cancelled_caught
        await mock.wait_for("stream", ended=True)


async def test_a_native_cancellation_of_asyncio_passes_through_the_block() -> None:
    if sniffio.current_async_library() != "asyncio":
        return
    entered = asyncio.Event()

    async def run(base_url: str) -> None:
        async with client_of(base_url) as client:
            entered.set()
            await trainer_of(client).wait()

    async with serve(rule=[HELD]) as mock:
        task = asyncio.create_task(run(mock.base_url))
        await entered.wait()
        await mock.wait_for("stream", frame=1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await mock.wait_for("stream", ended=True)


async def test_an_asyncio_timeout_around_wait_is_a_timeout() -> None:
    if sniffio.current_async_library() != "asyncio":
        return
    async with serve(rule=[HELD]) as mock, client_of(mock.base_url) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await trainer_of(client).wait()


async def test_a_callback_that_waits_for_its_own_wait_is_told_so() -> None:
    async with serve() as mock, client_of(mock.base_url, profile=PROFILE_2026_07) as client:

        async def hear(_: object) -> None:
            await trainer.wait()

        trainer = trainer_of(client, Callbacks(on_started=hear))
        with pytest.raises(LocalProtocolError, match="called from one of its own callbacks"):
            await trainer.wait()


async def test_a_callback_may_start_and_cancel() -> None:
    heard: list[str] = []
    plan = {"status": "running", "events": 1}
    async with serve(job=[plan]) as mock, client_of(mock.base_url) as client:

        async def hear(_: object) -> None:
            heard.append(await trainer.start())
            await trainer.cancel()

        trainer = trainer_of(client, Callbacks(on_started=hear))
        result = await trainer.wait()
    assert heard == ["job-1"]
    assert result.job.id == "job-1"


async def test_a_client_does_not_hold_on_to_trainers_that_are_done() -> None:
    async with serve(job=[{"events": 1}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        await trainer.wait()
        await mock.wait_for("stream", ended=True)
        await anyio.wait_all_tasks_blocked()
        gone = ref(trainer)
        del trainer
        gc.collect()
        assert gone() is None


async def test_a_wait_that_could_not_begin_can_be_tried_again() -> None:
    class FailsOnce(VirtualClock):
        """A clock that cannot tell the time the first time it is asked."""

        asked = 0

        def time(self) -> float:
            self.asked += 1
            if self.asked == 1:
                raise ZeroDivisionError
            return super().time()

    async with serve() as mock, client_of(mock.base_url, clock=FailsOnce()) as client:
        trainer = trainer_of(client)
        with pytest.raises(ZeroDivisionError):
            await trainer.wait()
        assert (await trainer.wait()).job.status == "completed"
