"""The driver of the client on httpx, with which the kit judges a common HTTP library and its pool."""

import sys
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from random import SystemRandom
from typing import Final

import anyio
import httpx
from attrs import frozen

from conformance.drivers.python.clocks import Clock
from conformance.drivers.python.stdio import Desk, Failure, Provoked, serve
from conformance.strict_data import Json
from tests.conformance.pooled import client as pooled
from tests.conformance.pooled import errors
from tests.conformance.pooled.http import Place, Wire, pool
from tests.conformance.pooled.options import Options
from tests.conformance.pooled.stdlib import StdlibTransport
from tests.conformance.pooled.strict import StrictTransport

HELLO: Final[Mapping[str, Json]] = {
    "impl": "pooled (httpx)",
    "version": "0.1.0",
    "profiles": ["2026-05", "2026-07", "hardened"],
    "capabilities": [
        *("clock.virtual", "clock.advance", "rng", "abort", "cancel", "concurrent"),
        *("create", "callbacks.async", "config.backoff", "config.idle", "attach"),
    ],
}
LORA: Final = {"r": "loraR", "alpha": "loraAlpha"}


@frozen
class _Clock:
    clock: Clock

    def now(self) -> float:
        return self.clock.time() * 1000

    async def sleep(self, ms: float, purpose: str) -> None:
        await self.clock.sleep_until(self.clock.time() + ms / 1000, purpose)


@frozen
class _Client:
    trainer: pooled.Trainer

    async def start(self) -> Mapping[str, object]:
        return {"job_id": await self.trainer.start()}

    async def wait(self) -> Mapping[str, object]:
        result = await self.trainer.wait()
        return {"job": result.job, "artifacts": result.artifacts}

    async def cancel(self) -> None:
        await self.trainer.cancel()

    def abort(self, reason: str) -> None:
        self.trainer.abort(reason)


def _table(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _body(config: Mapping[str, Json]) -> Mapping[str, Json]:
    given = dict(_table(config.get("input")))
    lora = _table(given.pop("lora", None))
    source = {"model": given.pop("model", None), "datasetSource": given.pop("dataset", None)}
    flat = {LORA.get(key, key): value for key, value in lora.items()}
    return {"name": config.get("name"), "config": {**source, **flat, **given}}


def _options(desk: Desk) -> Options:
    config = desk.config
    renamed = {
        "initial_ms": "base",
        "max_ms": "cap",
        "max_attempts": "budget",
        "idle_ms": "byte_timeout",
        "progress_ms": "progress_timeout",
    }
    numbers = {renamed[key]: value for key, value in config.items() if key in renamed}
    texts = {key: str(config[key]) for key in ("base_url", "token", "org", "project")}
    hardened = config["profile"] == "hardened"
    secret = _table(_table(config.get("input")).get("dataset")).get("token")
    secrets = (secret,) if isinstance(secret, str) and secret else ()
    job = config.get("job")
    return Options(
        place=Place(**texts, hardened=hardened, secrets=secrets),
        profile=str(config["profile"]),
        body=_body(config),
        hear=desk.heard,
        clock=_Clock(desk.clock),
        random=desk.random if "rng" in config else SystemRandom().random,
        job=job if isinstance(job, str) else None,
        last_event_id=str(config.get("last_event_id", "")),
        idempotency_key=str(uuid.uuid4()) if hardened else None,
        **{key: value for key, value in numbers.items() if isinstance(value, int | float)},
    )


def _stack(options: Options) -> httpx.AsyncBaseTransport | None:
    """Return the HTTP stack that the command line names; None means that of httpx."""
    match sys.argv[1:]:
        case ["stdlib"]:
            return StdlibTransport()
        case ["strict"]:
            return StrictTransport(options.body)
        case _:
            return None


@asynccontextmanager
async def open_client(desk: Desk) -> AsyncGenerator[_Client, None]:
    """Open the client of a case, with its own pool."""
    options = _options(desk)

    async def sleep(ms: float) -> None:
        await options.clock.sleep(ms, "idle")

    async with pool(options.place, _stack(options)) as client, anyio.create_task_group() as group:
        yield _Client(pooled.Trainer(options, Wire(client, options.place, sleep), group))
        group.cancel_scope.cancel()


def explain(error: Exception) -> Failure:
    """Return the kind of an error, which depends on its class."""
    kinds = {
        Provoked: "callback",
        errors.Aborted: "aborted",
        errors.GaveUp: "gave_up",
        errors.ConnectionFailed: "transport",
        errors.Unusable: "protocol",
    }
    if isinstance(error, errors.HttpError):
        return Failure("http", str(error), error.status)
    kind = next((kind for known, kind in kinds.items() if isinstance(error, known)), "other")
    return Failure(kind, str(error) if kind != "other" else f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    anyio.run(serve, HELLO, open_client, explain)
