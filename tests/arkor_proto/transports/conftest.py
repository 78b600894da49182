"""Both event loops, and the proof that nothing is left behind on either."""

import asyncio
import gc
from collections.abc import AsyncGenerator

import pytest
import sniffio
import trio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def living_tasks() -> int:
    """Count the tasks of the running event loop."""
    if sniffio.current_async_library() == "trio":
        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


@pytest.fixture
async def nothing_is_left() -> AsyncGenerator[None, None]:
    """Fail the test if a task outlives it, or a socket (whose ResourceWarning is an error)."""
    before = living_tasks()
    yield
    gc.collect()
    assert living_tasks() == before
