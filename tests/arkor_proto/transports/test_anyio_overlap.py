"""Calls that overlap, and calls whose task is cancelled, on asyncio and on trio."""

import anyio
import pytest

from arkor_proto import TrainingLog, TrainingStarted
from arkor_proto.transports.anyio import Callbacks, Trainer
from mock_server import MockServer
from tests.arkor_proto.transports.fixtures_anyio import (
    VirtualClock,
    asked,
    client_of,
    hearing,
    serve,
    trainer_of,
)
from tests.arkor_proto.transports.peer import (
    LAST_CHUNK,
    STREAM_HEAD,
    Visit,
    chunk,
    json_answer,
    listening,
    refusal,
)
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    frame,
    job_answer,
    log,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

STREAM = {"route": "stream"}


async def test_overlapping_starts_are_one_create() -> None:
    ids: list[str] = []

    async def start(trainer: Trainer) -> None:
        ids.append(await trainer.start())

    async with serve() as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(start, trainer)
        assert ids == ["job-1"] * 3
        assert len(asked(mock, "create")) == 1


async def test_overlapping_cancels_are_one_request() -> None:
    async with serve(job=[{"status": "running"}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        await trainer.start()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.cancel)
            tasks.start_soon(trainer.cancel)
        assert len(asked(mock, "cancel")) == 1


async def test_a_start_a_wait_and_a_cancel_that_overlap_share_one_create() -> None:
    plan = {"status": "running", "events": 1}
    async with serve(job=[plan]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.start)
            tasks.start_soon(trainer.wait)
            await mock.wait_for("create")
            tasks.start_soon(trainer.cancel)
        assert [len(asked(mock, route)) for route in ("create", "stream", "cancel")] == [1, 1, 1]


async def test_a_cancelled_start_does_not_lose_the_job() -> None:
    came, answer = anyio.Event(), anyio.Event()
    lines: list[str] = []

    async def backend(visit: Visit) -> None:
        lines.append((await visit.request()).line)
        came.set()
        await answer.wait()
        await visit.send(json_answer(job_answer("late")))
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        trainer = trainer_of(client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.start)
            await came.wait()
            tasks.cancel_scope.cancel()
        answer.set()
        assert await trainer.start() == "late"
    assert len(lines) == 1


async def test_a_cancelled_waiter_among_two_does_not_disturb_the_other() -> None:
    heard: list[object] = []
    rule = {"on": STREAM, "after": {"frames": 2}, "stall": {"gate": "mid"}}
    mock_server = serve(job=[{"events": 4}], rule=[rule])
    async with mock_server as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client, hearing(heard.append))
        async with anyio.create_task_group() as others:
            with anyio.CancelScope() as first:
                others.start_soon(_cancel_after_frames, mock, first)
                others.start_soon(trainer.wait)
                await trainer.wait()
            mock.gates.open("mid")
        assert len(heard) == 4
        assert len(asked(mock, "stream")) == 1


async def _cancel_after_frames(mock: MockServer, scope: anyio.CancelScope) -> None:
    await mock.wait_for("stream", frame=2)
    scope.cancel()


async def test_an_event_whose_callback_is_cancelled_goes_to_the_other_waiter() -> None:
    calls: list[int | None] = []
    ended: list[bool] = []
    scopes: dict[int, anyio.CancelScope] = {}

    async def hear(event: TrainingLog) -> None:
        calls.append(event.step)
        if len(calls) == 1:
            scopes[anyio.get_current_task().id].cancel()
            await anyio.sleep_forever()

    async def wait(trainer: Trainer) -> None:
        with anyio.CancelScope() as scope:
            scopes[anyio.get_current_task().id] = scope
            await trainer.wait()
        ended.append(scope.cancelled_caught)

    async with serve(job=[{"events": 3}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client, Callbacks(on_log=hear))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, trainer)
            tasks.start_soon(wait, trainer)
    assert calls == [calls[0], calls[0]]
    assert ended == [True, False]


async def test_a_cancelled_wait_sends_nothing_and_cancel_still_works() -> None:
    rule = {"on": STREAM, "after": {"frames": 1}, "stall": {"gate": "never"}}
    mock_server = serve(job=[{"status": "running"}], rule=[rule])
    async with mock_server as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.wait)
            await mock.wait_for("stream", frame=1)
            tasks.cancel_scope.cancel()
        await mock.wait_for("stream", ended=True)
        assert asked(mock, "cancel") == []
        await trainer.cancel()
        assert len(asked(mock, "cancel")) == 1


async def test_a_wait_after_a_cancelled_one_resumes_at_the_cursor() -> None:
    heard: list[int | None] = []
    rule = {
        "on": {**STREAM, "attempt": 1},
        "after": {"frames": 2},
        "stall": {"gate": "never"},
    }
    reached = anyio.Event()

    def hear(event: TrainingLog) -> None:
        heard.append(event.step)
        reached.set()

    mock_server = serve(job=[{"events": 5}], rule=[rule])
    async with mock_server as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client, Callbacks(on_log=hear))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.wait)
            await reached.wait()
            tasks.cancel_scope.cancel()
        assert (await trainer.wait()).job.status == "completed"
        assert [request.last_event_id for request in asked(mock, "stream")] == [None, "2"]
    assert heard == sorted(set(heard), key=heard.index)


async def test_a_wait_cancelled_amid_a_callback_hears_that_event_again() -> None:
    heard: list[str] = []
    began = anyio.Event()

    async def hear(_: TrainingStarted) -> None:
        heard.append("began")
        if not began.is_set():
            began.set()
            await anyio.sleep_forever()
        heard.append("done")

    async with serve(job=[{"events": 2}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client, Callbacks(on_started=hear))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.wait)
            await began.wait()
            tasks.cancel_scope.cancel()
        await trainer.wait()
        assert [request.last_event_id for request in asked(mock, "stream")] == [None, None]
    assert heard == ["began", "began", "done"]


async def test_a_wait_cancelled_amid_the_terminal_callback_hears_it_again() -> None:
    heard: list[object] = []
    began = anyio.Event()

    async def hear(event: object) -> None:
        heard.append(event)
        if not began.is_set():
            began.set()
            await anyio.sleep_forever()

    async with serve(job=[{"events": 1}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client, Callbacks(on_completed=hear))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.wait)
            await began.wait()
            tasks.cancel_scope.cancel()
        assert (await trainer.wait()).job.status == "completed"
    assert len(heard) == 2


async def test_a_wait_cancelled_while_opening_resumes() -> None:
    rule = {"on": {**STREAM, "attempt": 1}, "delay_ms": 600_000}
    mock_server = serve(job=[{"events": 2}], rule=[rule])
    async with mock_server as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.wait)
            await mock.wait_for("stream")
            tasks.cancel_scope.cancel()
        assert (await trainer.wait()).job.status == "completed"


async def test_a_wait_cancelled_in_back_off_resumes_without_waiting_for_it() -> None:
    clock = VirtualClock(rings=frozenset())
    rule = {"on": {**STREAM, "attempt": 1}, "status": 503}
    mock_server = serve(job=[{"events": 2}], rule=[rule])
    async with mock_server as mock, client_of(mock.base_url, clock=clock) as client:
        trainer = trainer_of(client)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.wait)
            await clock.backing_off()
            tasks.cancel_scope.cancel()
        assert (await trainer.wait()).job.status == "completed"
        assert len(asked(mock, "stream")) == 2


async def test_a_wait_cancelled_while_an_error_body_is_read_resumes() -> None:
    reading = anyio.Event()

    async def backend(visit: Visit) -> None:
        await visit.request()
        if visit.number == 1:
            await visit.send(refusal(503).replace(b"Length: 0", b"Length: 9") + b"half")
            reading.set()
            await visit.until_left()
            return
        events = frame(log(1), id="1") + frame(COMPLETED, id="2")
        await visit.send(STREAM_HEAD + chunk(events) + LAST_CHUNK)
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        trainer = client.attach("j")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trainer.wait)
            await reading.wait()
            tasks.cancel_scope.cancel()
        assert (await trainer.wait()).job.status == "completed"
        await peer.all_left()
        assert peer.visits == 2


async def test_a_timeout_around_wait_is_a_local_end() -> None:
    rule = {"on": STREAM, "after": {"frames": 1}, "stall": {"gate": "never"}}
    mock_server = serve(rule=[rule])
    async with mock_server as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        await trainer.start()
        with anyio.move_on_after(0) as scope:
            await trainer.wait()
        assert scope.cancelled_caught
        assert asked(mock, "cancel") == []
