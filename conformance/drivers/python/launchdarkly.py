"""The driver for `launchdarkly-eventsource`, an event-stream library that cannot create jobs.

The library opens and reads the stream, keeps the cursor, backs off and reconnects. `job_events`
interprets the events. The library's `time` module is replaced, so that the kit can end the
library's sleeps.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final
from urllib.parse import quote, urlencode

import anyio
import ld_eventsource.sse_client
from anyio import from_thread, to_thread
from attrs import define, field
from ld_eventsource import SSEClient
from ld_eventsource.config import ConnectStrategy, ErrorStrategy, RetryDelayStrategy
from ld_eventsource.errors import HTTPStatusError
from urllib3.exceptions import HTTPError

from conformance.drivers.python.clocks import Clock
from conformance.drivers.python.job_events import JobEvents
from conformance.drivers.python.stdio import Desk, Failure, Provoked, serve
from conformance.strict_data import Json

HELLO: Final[Mapping[str, Json]] = {
    "impl": "launchdarkly-eventsource",
    "version": version("launchdarkly-eventsource"),
    "profiles": ["2026-07"],
    "capabilities": ["attach", "abort", "callbacks.async", "clock.virtual", "config.backoff"],
}
_PERMANENT: Final = frozenset({401, 403, 410, 426})


class _Aborted(Exception):
    """The event source was closed by an abort or at the end of the case."""


class _GaveUp(Exception):
    """The library has no attempts left."""


class _Strategy(ErrorStrategy):
    """The library's own retry budget, except that permanent error statuses fail immediately."""

    def __init__(self, budget: ErrorStrategy) -> None:
        self._budget = budget

    def apply(self, exception: Exception | None) -> tuple[bool, ErrorStrategy]:
        if isinstance(exception, HTTPStatusError) and exception.status in _PERMANENT:
            return ErrorStrategy.FAIL, self
        fails, budget = self._budget.apply(exception)
        if fails:
            raise _GaveUp(str(exception))
        return ErrorStrategy.CONTINUE, _Strategy(budget)


_KINDS: Final[Mapping[type[Exception], str]] = {
    Provoked: "callback",
    _Aborted: "aborted",
    _GaveUp: "gave_up",
    HTTPError: "transport",
}


@define
class _Time:
    """A replacement for the `time` module, with the functions that the library uses."""

    clock: Clock
    closed: anyio.Event = field(factory=anyio.Event)

    def monotonic(self) -> float:
        return self.clock.time()

    def sleep(self, seconds: float) -> None:
        from_thread.run(self._sleep, seconds)

    async def _sleep(self, seconds: float) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._end_when_closed, group.cancel_scope)
            await self.clock.sleep_until(self.clock.time() + seconds, "reconnect")
            group.cancel_scope.cancel()
        if self.closed.is_set():
            raise _Aborted("the case is closed")

    async def _end_when_closed(self, scope: anyio.CancelScope) -> None:
        await self.closed.wait()
        scope.cancel()


@define
class _Client:
    desk: Desk
    events: JobEvents
    source: SSEClient
    aborted: bool = False
    result: Mapping[str, object] | None = None

    async def wait(self) -> Mapping[str, object]:
        if self.result is None and not self.aborted:
            self.result = self.events.result  # its callback may have failed
        if self.result is None:
            # Each wait has its own budget, and resumes from the cursor of the previous wait.
            self.source = _source_of(self.desk.config, self.source.last_event_id)
            self.result = await to_thread.run_sync(self._follow, abandon_on_cancel=True)
        return self.result

    def _follow(self) -> Mapping[str, object]:
        try:
            for event in () if self.aborted else self.source.events:
                called = self.events.take(event.event, event.data)
                if called is not None:
                    from_thread.run(self.desk.heard, *called)
                if self.events.result is not None and not self.aborted:
                    return self.events.result
                if self.aborted:
                    break
            raise _Aborted("closed")
        finally:
            self.source.close()

    def abort(self, reason: str) -> None:  # noqa: ARG002 - the library takes no reason
        self.aborted = True
        self.source.close()

    async def start(self) -> Mapping[str, object]:
        raise NotImplementedError("the library cannot create jobs")

    async def cancel(self) -> None:
        raise NotImplementedError("the library cannot cancel jobs")


def _source_of(config: Mapping[str, Json], cursor: str | None) -> SSEClient:
    path = f"/v1/jobs/{quote(str(config['job']), safe='')}/events/stream"
    query = urlencode({"orgSlug": config["org"], "projectSlug": config["project"]}, quote_via=quote)
    headers = {"Authorization": f"Bearer {config['token']}", "X-Arkor-Client": "kit/1"}
    budget, attempts = ErrorStrategy.always_continue(), config.get("max_attempts")
    if isinstance(attempts, int):
        budget = ErrorStrategy.continue_with_max_attempts(attempts)
    base = _seconds(config.get("initial_ms"))
    return SSEClient(
        ConnectStrategy.http(f"{config['base_url']}{path}?{query}", headers),
        retry_delay_strategy=RetryDelayStrategy.default(_seconds(config.get("max_ms"))),
        error_strategy=_Strategy(budget),
        last_event_id=cursor,
        **({"initial_retry_delay": base} if base is not None else {}),
    )


def _seconds(milliseconds: Json) -> float | None:
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


@asynccontextmanager
async def open_client(desk: Desk) -> AsyncGenerator[_Client, None]:
    """Open the client of a case."""
    cursor = desk.config.get("last_event_id")
    source = _source_of(desk.config, cursor if isinstance(cursor, str) else None)
    client, time = _Client(desk, JobEvents(str(desk.config["job"])), source), _Time(desk.clock)
    ld_eventsource.sse_client.time = time
    try:
        yield client
    finally:
        time.closed.set()
        client.abort("the case is closed")


def explain(error: Exception) -> Failure:
    """Turn an error into a failure whose kind depends on the class of the error."""
    if isinstance(error, HTTPStatusError):
        return Failure("http", str(error), error.status)
    kind = next((_KINDS[each] for each in _KINDS if isinstance(error, each)), "other")
    return Failure(kind, f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    anyio.run(serve, HELLO, open_client, explain)
