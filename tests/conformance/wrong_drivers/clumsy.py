"""A driver on our plumbing whose client fails in places that no case provokes; see `config.fault`."""

import asyncio
import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup
from attrs import frozen

from conformance.drivers.python.stdio import Desk, Failure, serve
from conformance.strict_data import Json

HELLO: Mapping[str, Json] = {
    "impl": "clumsy",
    "version": "0",
    "profiles": ["2026-05"],
    "capabilities": ["clock.virtual", "clock.advance", "abort", "cancel"],
}


class Inexplicable(Exception):
    """The error at which `explain` fails."""


@frozen
class _Client:
    desk: Desk
    group: TaskGroup

    async def start(self) -> Mapping[str, object]:
        await _begin(str(self.desk.config.get("fault")), self.desk)
        return {"job_id": "job-1"}

    async def wait(self) -> Mapping[str, object]:
        if self.desk.config.get("fault") == "breaks-down":
            self.group.start_soon(_crash)
        await anyio.sleep_forever()
        return {}

    async def cancel(self) -> None:
        return

    def abort(self, reason: str) -> None:
        raise RuntimeError(f"abort is broken: {reason}")


async def _begin(fault: str, desk: Desk) -> None:
    match fault:
        case "fails":
            raise ValueError("plain")
        case "fails-inexplicably":
            raise Inexplicable("odd")
        case "fails-in-a-group":
            raise ExceptionGroup("many", [ValueError("one"), ValueError("two")])
        case "fails-in-a-base-group":
            raise BaseExceptionGroup("many", [asyncio.CancelledError("one"), ValueError("two")])
        case "is-cancelled":
            raise asyncio.CancelledError("by its own hand")
        case "prints":
            print("hello, world")  # noqa: T201 - that is the fault
        case "hears-nonsense":
            nonsense = {"loss": math.nan, "step": -math.inf, "epoch": {1j}, 5: [math.inf, None]}
            await desk.heard("log", {str(key): value for key, value in nonsense.items()})
        case "hears-a-cycle":
            data: dict[str, object] = {}
            data["data"] = data
            await desk.heard("log", data)
        case "sleeps":
            await desk.clock.sleep_until(desk.clock.time() + 0.001, "reconnect")
        case _:
            pass


async def _crash() -> None:
    raise RuntimeError("a task of the client crashed")


@asynccontextmanager
async def _open(desk: Desk) -> AsyncGenerator[_Client, None]:
    match desk.config.get("fault"):
        case "does-not-open":
            raise ValueError("unsupported model")
        case "opening-is-cancelled":
            raise asyncio.CancelledError("by its own hand")
        case _:
            pass
    async with anyio.create_task_group() as group:
        yield _Client(desk, group)
        group.cancel_scope.cancel()
    if desk.config.get("fault") == "does-not-close":
        raise OSError("the pool cannot be closed")


def _explain(error: Exception) -> Failure:
    if isinstance(error, Inexplicable):
        raise KeyError(error)
    return Failure("other", str(error))


if __name__ == "__main__":
    anyio.run(serve, HELLO, _open, _explain)
