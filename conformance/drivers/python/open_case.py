"""One case of a driver in Python: the client's life, its operations, and what can go wrong in it.

A client can fail where no case provokes it: while it is opened, in a task of its own, on closing,
by letting a cancellation escape. Each of these has to end as an answer, for a driver that dies or
falls silent tells its author nothing.
"""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeGuard

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from conformance.drivers.python import lines
from conformance.drivers.python.clocks import Clock, VirtualClock, WallClock
from conformance.drivers.python.desk import (
    Client,
    Desk,
    Explain,
    Failure,
    Opener,
    refusal,
    reply,
)
from conformance.strict_data import Json


def _told(error: BaseException) -> str:
    told = f"{type(error).__name__}: {error}"
    if not _is_group(error):
        return told
    # A group says only how many there are.
    return f"{told}: " + ", ".join(_told(each) for each in error.exceptions)


def _is_ours() -> bool:
    """Tell whether a cancellation came from here: clients can let one of their own escape."""
    return anyio.current_effective_deadline() == -math.inf


@define
class OpenCase:
    """One case: its client lives in a task of its own, and so does every operation."""

    opener: Opener
    explain: Explain
    virtual: bool
    config: Mapping[str, Json]
    broken: str | None = field(default=None, init=False)
    """Why there is no client, or none any more."""
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
        """Give the case a clock of its own."""
        self.clock = VirtualClock(self._say) if self.virtual else WallClock()

    async def run(self) -> None:
        """Hold the client open until `close`; what ends it earlier is kept in `broken`."""
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
        """Wait until there is a client; return why there is none."""
        await self._opened.wait()
        return None if self._client else Failure("unsupported", f"no client: {self.broken}")

    async def close(self) -> Failure | None:
        """Close the client and everything that it still does; return what went wrong with it."""
        self._closing.set()
        await self._closed.wait()
        failed = self._had_client and self.broken is not None
        return Failure("other", f"the client failed: {self.broken}") if failed else None

    def do(self, number: Json, name: str, reason: Json) -> None:
        """Begin an operation; its answer is printed when it settles."""
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
        # A client that broke down has failed; only one that was never there is unsupported.
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
                raise  # `run` answers, once it knows why.
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
            return Failure("other", _told(error))  # Adapters explain only what is an Exception.
        try:
            return self.explain(error)
        except Exception as second:  # noqa: BLE001 - the answer must not depend on the adapter
            return Failure("other", f"{_told(error)} (and explaining it failed: {_told(second)})")

    def _say(self, message: Mapping[str, object]) -> None:
        if self._closed.is_set():  # The next case must not be blamed for it.
            lines.log(f"the client went on after its case was closed: {message.get('event')}")
        else:
            lines.emit(message)


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)


def _must_end(error: BaseException) -> bool:
    """Tell whether an error is a request to end the process."""
    return _is_group(error) and error.subgroup((KeyboardInterrupt, SystemExit)) is not None
