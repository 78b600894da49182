"""Iterating over the events of a job in place of callbacks."""

import anyio
import anyio.lowlevel
import pytest

from arkor_proto import (
    Aborted,
    GaveUp,
    TrainingCompleted,
    TrainingEvent,
    TrainingLog,
    TransportError,
)
from arkor_proto.transports.anyio import Callbacks, Trainer
from tests.arkor_proto.transports.fixtures_anyio import (
    VirtualClock,
    client_of,
    serve,
    trainer_of,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

DROP = {"on": {"route": "stream", "attempt": 1}, "after": {"frames": 3}, "end": "rst"}
HELD = {"on": {"route": "stream"}, "after": {"frames": 0}, "stall": {"gate": "never"}}


async def every(trainer: Trainer) -> list[TrainingEvent]:
    async with trainer.events() as events:
        return [event async for event in events]


def steps(events: list[TrainingEvent]) -> list[int | None]:
    return [event.step for event in events if isinstance(event, TrainingLog)]


async def test_the_events_come_in_order_to_the_end_over_an_outage() -> None:
    async with (
        serve(job=[{"events": 8}], rule=[DROP]) as mock,
        client_of(mock.base_url, clock=VirtualClock()) as client,
    ):
        trainer = trainer_of(client)
        async with trainer.events() as events:
            heard = [event async for event in events]
        assert steps(heard) == [1, 2, 3, 4, 5]
        assert isinstance(heard[-1], TrainingCompleted)
        assert events.result == await trainer.wait()


async def test_a_callback_is_not_called_for_an_event_that_is_iterated_over() -> None:
    called: list[TrainingEvent] = []

    async with serve(job=[{"events": 6}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client, Callbacks(on_log=called.append))
        assert steps(await every(trainer)) == [1, 2, 3]
    assert called == []


async def test_the_cursor_moves_with_the_events() -> None:
    async with serve(job=[{"events": 6}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        cursors: list[str] = []
        async with trainer.events() as events:
            cursors += [trainer.last_event_id async for _ in events]
    assert cursors == sorted(set(cursors), key=int)


async def test_the_event_in_hand_is_delivered_again_after_the_block_was_left() -> None:
    async with serve(job=[{"events": 7}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        heard: list[TrainingEvent] = []
        async with trainer.events() as events:
            async for event in events:
                heard.append(event)
                if steps(heard) == [1, 2]:
                    break
        assert steps(await every(trainer)) == [2, 3, 4]


async def test_what_the_block_raises_loses_no_event() -> None:
    async with serve(job=[{"events": 6}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)

        async def fail_at_the_first_log() -> None:
            async with trainer.events() as events:
                async for event in events:
                    if isinstance(event, TrainingLog):
                        raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail_at_the_first_log()
        assert steps(await every(trainer)) == [1, 2, 3]


async def test_a_cancelled_iteration_loses_no_event() -> None:
    async with serve(job=[{"events": 6}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        with anyio.CancelScope() as scope:
            async with trainer.events() as events:
                async for event in events:
                    if isinstance(event, TrainingLog):
                        scope.cancel()
                        await anyio.sleep_forever()
        assert steps(await every(trainer)) == [1, 2, 3]


async def test_an_iteration_over_many_events_can_be_cancelled_at_any_time() -> None:
    async with serve(job=[{"events": 503}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        heard: list[TrainingEvent] = []
        with anyio.CancelScope() as scope:
            async with trainer.events() as events:
                async for event in events:
                    heard.append(event)
                    if len(heard) == 100:
                        scope.cancel()
        assert 100 <= len(heard) < 200
        again = await every(trainer)
        # To ask for the next event was to be done with the one before.
        assert steps(again)[0] == (steps(heard)[-1] or 0) + 1
        assert steps(again)[-1] == 500


async def test_asking_for_the_next_event_may_be_cancelled_and_loses_none() -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 3}, "stall": {"gate": "mid"}}
    async with serve(job=[{"events": 8}], rule=[rule]) as mock, client_of(mock.base_url) as client:
        heard: list[TrainingEvent] = []
        cancelled = 0
        async with trainer_of(client).events() as events:
            while True:
                try:
                    with anyio.fail_after(0.01):
                        heard.append(await anext(events))
                except TimeoutError:
                    cancelled += 1
                    if cancelled == 3:
                        mock.gates.open("mid")
                except StopAsyncIteration:
                    break
        assert cancelled >= 3
        assert steps(heard) == [1, 2, 3, 4, 5]


async def test_an_abort_ends_the_iteration_with_its_reason() -> None:
    async with serve(job=[{"events": 6}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        async with trainer.events() as events:
            await anext(events)
            trainer.abort("enough")
            with pytest.raises(Aborted, match="enough"):
                await anext(events)


async def test_the_iteration_raises_what_wait_raises() -> None:
    async with client_of("http://127.0.0.1:9", max_attempts=0) as client:
        with pytest.raises(GaveUp):
            await every(client.attach("j"))


async def test_a_wait_and_an_iteration_share_the_events() -> None:
    called: list[TrainingEvent] = []

    async with serve(job=[{"events": 43}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client, Callbacks(on_log=called.append))
        iterated: list[TrainingEvent] = []
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.wait)
            async with trainer.events() as events:
                async for event in events:
                    iterated.append(event)
                    await anyio.lowlevel.checkpoint()
        assert sorted(steps([*called, *iterated]), key=str) == sorted(range(1, 41), key=str)


async def test_closing_the_client_ends_the_iteration() -> None:
    async with serve(job=[{"events": 6}], rule=[HELD]) as mock:
        async with client_of(mock.base_url) as client:
            trainer = trainer_of(client)
            events = await trainer.events().__aenter__()
            await trainer.start()
        with pytest.raises(TransportError, match="closed"):
            await anext(events)


async def test_events_are_entered_once_and_used_inside() -> None:
    async with serve(job=[{"events": 4}]) as mock, client_of(mock.base_url) as client:
        events = trainer_of(client).events()
        with pytest.raises(RuntimeError, match="async with"):
            await anext(events)
        async with events:
            with pytest.raises(RuntimeError, match=r"call events\(\) again"):
                await events.__aenter__()
