"""Hooks that take their time: one at a time, in order, and with a bound on those that wait."""

import logging

import anyio
import anyio.lowlevel
import pytest

from arkor_proto import FrameSkipped, Notice, Reconnecting
from arkor_proto.transports.anyio import Callbacks
from tests.arkor_proto.transports.conftest import living_tasks
from tests.arkor_proto.transports.fixtures_anyio import client_of
from tests.arkor_proto.transports.peer import STREAM_HEAD, Handler, Visit, chunk, listening
from tests.arkor_proto.wire_samples import COMPLETED, frame

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

FLOOD = 5_000


def sends(body: bytes) -> Handler:
    """Return a backend that streams `body`."""

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + chunk(body))
        await visit.until_left()

    return backend


def bad_frames(count: int, size: int = 1) -> bytes:
    """Return so many frames that are not JSON, each with its number in front."""
    return b"".join(frame(f"{number} {'x' * size}") for number in range(count))


async def test_a_flood_of_notices_takes_one_task_and_little_memory(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "arkor_proto")
    heard: list[Notice] = []
    tasks: list[int] = []
    over = anyio.Event()

    async def hear(notice: Notice) -> None:
        heard.append(notice)
        await over.wait()

    async with (
        listening(sends(bad_frames(FLOOD) + frame(COMPLETED))) as peer,
        client_of(peer.base_url) as client,
    ):
        before = living_tasks()
        await client.attach("j", callbacks=Callbacks(on_notice=hear)).wait()
        tasks.append(living_tasks() - before)
        over.set()
        while len(heard) < 101:
            await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
    assert tasks[0] < 5
    numbers = [int(each.data.split()[0]) for each in heard if isinstance(each, FrameSkipped)]
    assert numbers == [*range(101)]
    assert sum("a frame was skipped" in line for line in caplog.messages) == FLOOD
    assert f"number of notices it missed: {FLOOD - 101}" in caplog.text


async def test_notices_that_wait_weigh_little_however_long_their_frames_are() -> None:
    heard: list[int] = []
    over = anyio.Event()

    async def hear(notice: Notice) -> None:
        assert isinstance(notice, FrameSkipped)
        heard.append(len(notice.data))
        await over.wait()

    body = bad_frames(20, 400_000) + frame(COMPLETED)
    async with listening(sends(body)) as peer, client_of(peer.base_url) as client:
        await client.attach("j", callbacks=Callbacks(on_notice=hear)).wait()
        over.set()
        while len(heard) < 3:
            await anyio.lowlevel.checkpoint()
        await anyio.wait_all_tasks_blocked()
    assert len(heard) == 3  # the one that is told, and a million characters in waiting


async def test_notices_of_one_trainer_are_told_in_order_and_one_at_a_time() -> None:
    told: list[str] = []

    async def hear(notice: Notice) -> None:
        number = notice.data.split()[0] if isinstance(notice, FrameSkipped) else "-"
        told.append(f"{number} begins")
        await anyio.lowlevel.checkpoint()
        told.append(f"{number} ends")

    async with (
        listening(sends(bad_frames(20) + frame(COMPLETED))) as peer,
        client_of(peer.base_url) as client,
    ):
        await client.attach("j", callbacks=Callbacks(on_notice=hear)).wait()
        while len(told) < 40:
            await anyio.lowlevel.checkpoint()
    assert told == [f"{n} {what}" for n in range(20) for what in ("begins", "ends")]


async def test_what_a_closed_client_did_not_tell_is_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def hear(_: Notice) -> None:
        await anyio.sleep_forever()

    async with (
        listening(sends(bad_frames(10) + frame(COMPLETED))) as peer,
        client_of(peer.base_url) as client,
    ):
        await client.attach("j", callbacks=Callbacks(on_notice=hear)).wait()
    assert "number of notices it missed: 9" in caplog.text


async def test_hooks_of_either_kind_are_called_in_turn() -> None:
    told: list[str] = []

    async def slow(_: Reconnecting) -> None:
        await anyio.lowlevel.checkpoint()
        told.append("reconnect")

    def quick(_: Notice) -> None:
        told.append("skipped")

    async def backend(visit: Visit) -> None:
        await visit.request()
        if visit.number == 1:
            await visit.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
        else:
            await visit.send(STREAM_HEAD + chunk(bad_frames(1) + frame(COMPLETED)))
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        callbacks = Callbacks(on_reconnect=slow, on_notice=quick)
        await client.attach("j", callbacks=callbacks).wait()
        while len(told) < 2:
            await anyio.lowlevel.checkpoint()
    assert told == ["reconnect", "skipped"]
