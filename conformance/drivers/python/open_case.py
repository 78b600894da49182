"""Run the client of one case: open it, call its operations, close it, and report all failures.

A client can fail outside its operations: while it is being opened or closed, in a background task,
or by letting a cancellation escape. The driver reports each of these failures in an answer,
because the client's author learns nothing from a driver that dies or goes silent.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeGuard

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from conformance.drivers.python import lines
from conformance.drivers.python.clocks import Clock, VirtualClock, WallClock
from conformance.drivers.python.desk import Client, Desk, Explain, Failure, Opener, refusal, reply
from conformance.strict_data import Json


def _told(error: BaseException) -> str:
    told = f"{type(error).__name__}: {error}"
    if not _is_group(error):
        return told
    # The message of a group gives only the number of its exceptions.
    return f"{told}: " + ", ".join(_told(each) for each in error.exceptions)


def _is_ours() -> bool:
    """Return whether the driver cancelled this task; if not, the client leaked a cancellation."""
    return anyio.current_effective_deadline() == -math.inf


@define
class OpenCase:
    """One case; the client and each of its operations run in their own tasks."""

    opener: Opener
    explain: Explain
    virtual: bool
    config: Mapping[str, Json]
    broken: str | None = field(default=None, init=False)
    """Why the client could not be opened or failed later; None if it has not failed."""
    clock: Clock = field(init=False)
    _client: Client | None = field(default=None, init=False)
    _pending: dict[int, Json] = field(factory=dict[int, Json], init=False)
    _asked: int = field(default=0, init=False)
    _had_client: bool = field(default=False, init=False)
    _opened: anyio.Event = field(factory=anyio.Event, init=False)
    _closing: anyio.Event = field(factory=anyio.Event, init=False)
    _closed: anyio.Event = field(factory=anyio.Event, init=False)
    _group: TaskGroup | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        """Give the case its own clock."""
        self.clock = VirtualClock(self._say) if self.virtual else WallClock()

    async def run(self) -> None:
        """Keep the client open until `close` is called; if it fails, set `broken` to the reason."""
        try:
            await self._hold()
        except anyio.get_cancelled_exc_class() as error:
            if _is_ours():
                raise
            self.broken = _told(error)
        except (Exception, BaseExceptionGroup) as error:
            if _must_end(error):
                raise
            self.broken = _told(error)
        finally:
            self._client = self._group = None
            self._opened.set()
            self._closed.set()
        if self.broken is not None:
            lines.log(f"the client of this case failed outside an operation: {self.broken}")
        for number in self._pending.values():
            reply(number, self._no_client())

    async def _hold(self) -> None:
        desk = Desk(self.config, self.clock, say=self._say)
        async with self.opener(desk) as client, anyio.create_task_group() as group:
            self._client = desk.client = client
            self._had_client = True
            self._group = group
            self._opened.set()
            await self._closing.wait()
            group.cancel_scope.cancel()

    async def opened(self) -> Failure | None:
        """Wait until the client is open; return the failure if it could not be opened."""
        await self._opened.wait()
        return None if self._client else Failure("unsupported", f"no client: {self.broken}")

    async def close(self) -> Failure | None:
        """Close the client and end its operations; return the failure if it failed outside them."""
        self._closing.set()
        await self._closed.wait()
        failed = self._had_client and self.broken is not None
        return Failure("other", f"the client failed: {self.broken}") if failed else None

    def do(self, number: Json, name: str, reason: Json) -> None:
        """Begin an operation; the driver prints its answer when it settles."""
        client = self._client
        if client is None or self._group is None:
            reply(number, self._no_client())
            return
        match name:
            case "start":
                self._group.start_soon(self._answer, number, client.start)
            case "wait":
                self._group.start_soon(self._answer, number, client.wait)
            case "cancel":
                self._group.start_soon(self._answer, number, client.cancel)
            case _:
                self._abort(client, number, str(reason))

    def _no_client(self) -> Failure:
        if self._closing.is_set():
            return Failure("aborted", "the case was closed")
        # `unsupported` would mean that the client was never opened.
        if self._had_client:
            return Failure("other", f"the client failed: {self.broken}")
        return Failure("unsupported", f"no client: {self.broken}")

    def _abort(self, client: Client, number: Json, reason: str) -> None:
        try:
            client.abort(reason)
        except Exception as error:  # noqa: BLE001 - every failure is an answer
            reply(number, self._explained(error))
        else:
            reply(number)

    async def _answer(
        self, number: Json, operation: Callable[[], Awaitable[Mapping[str, object] | None]]
    ) -> None:
        self._asked += 1
        key = self._asked
        self._pending[key] = number
        failure: Failure | None = None
        ok: Mapping[str, object] = {}
        try:
            ok = await operation() or {}
        except anyio.get_cancelled_exc_class() as error:
            if _is_ours():
                raise  # `run` answers once it knows the reason.
            failure = Failure("other", _told(error))
        except (Exception, BaseExceptionGroup) as error:
            if _must_end(error):
                raise
            failure = self._explained(error)
        del self._pending[key]
        if number is not None:
            lines.emit(refusal(number, failure) if failure else {"re": number, "ok": ok})

    def _explained(self, error: BaseException) -> Failure:
        if not isinstance(error, Exception):
            return Failure("other", _told(error))  # Adapters explain only subclasses of Exception.
        try:
            return self.explain(error)
        except Exception as second:  # noqa: BLE001 - the answer must not depend on the adapter
            return Failure("other", f"{_told(error)} (`explain` failed too: {_told(second)})")

    def _say(self, message: Mapping[str, object]) -> None:
        if self._closed.is_set():  # The kit would record it in the trace of the next case.
            lines.log(
                f"the client was still active after its case was closed: {message.get('event')}"
            )
        else:
            lines.emit(message)


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)


def _must_end(error: BaseException) -> bool:
    """Return whether an error is a group that contains a KeyboardInterrupt or SystemExit."""
    return _is_group(error) and error.subgroup((KeyboardInterrupt, SystemExit)) is not None
