"""Let several callers wait for a single run of some work."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio
from attrs import define, field

T = TypeVar("T")


@define
class Shared(Generic[T]):
    """A single run of some work; all callers that wait for it get its outcome."""

    _results: list[T] = field(factory=list[T], init=False)
    _error: Exception | None = field(default=None, init=False)
    _settled: anyio.Event = field(factory=anyio.Event, init=False)
    _scope: anyio.CancelScope = field(factory=anyio.CancelScope, init=False)

    async def run(self, work: Callable[[], Awaitable[T]], done: Callable[[], None]) -> None:
        """Do the work, and keep its outcome."""
        with self._scope:
            try:
                self._results.append(await work())
            except Exception as error:  # noqa: BLE001 - it is the callers' to raise
                self._error = self._error or error
        done()
        self._settled.set()

    def reject(self, error: Exception) -> None:
        """Stop the work; every caller gets `error`."""
        self._error = error
        self._settled.set()
        self._scope.cancel()

    async def outcome(self) -> T:
        """Wait for the outcome."""
        await self._settled.wait()
        if self._error is not None:
            raise self._error
        return self._results[0]
