"""The virtual clock: the kit ends sleeps, and can let time pass without ending any."""

from collections.abc import Mapping

import anyio
import pytest

from conformance.drivers.python.clocks import VirtualClock


@pytest.mark.anyio
async def test_advancing_the_clock_moves_its_time() -> None:
    clock = VirtualClock(lambda _: None)
    before = clock.time()
    clock.advance(600)
    assert clock.time() - before == pytest.approx(0.6)


@pytest.mark.anyio
async def test_advancing_the_clock_ends_no_sleep() -> None:
    said: list[Mapping[str, object]] = []
    clock = VirtualClock(said.append)
    async with anyio.create_task_group() as group:
        group.start_soon(clock.sleep_until, 0.5, "idle")
        await anyio.wait_all_tasks_blocked()
        clock.advance(600)
        await anyio.wait_all_tasks_blocked()
        assert [each["event"] for each in said] == ["sleep"]
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_sleep_that_ends_late_does_not_turn_the_clock_back() -> None:
    clock = VirtualClock(lambda _: None)
    async with anyio.create_task_group() as group:
        group.start_soon(clock.sleep_until, 0.5, "idle")
        await anyio.wait_all_tasks_blocked()
        clock.advance(600)
        clock.wake(1)
    assert clock.time() == pytest.approx(0.6)


@pytest.mark.anyio
async def test_a_wake_without_a_time_leaves_the_clock_where_it_is() -> None:
    clock = VirtualClock(lambda _: None)
    clock.advance(None)
    assert clock.time() == pytest.approx(0.0, abs=1e-6)
