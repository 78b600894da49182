"""Calls a slow hook for one notice at a time, in order; the others wait in a bounded queue.

An operation does not wait for an async hook, so notices can arrive faster than the hook handles
them. Those that do not fit in the queue are dropped, and the number of dropped notices is logged.
Each notice, dropped or not, also has its own log line.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final

from anyio.abc import TaskGroup
from attrs import define, field

from arkor_proto._types import FrameSkipped, Notice
from arkor_proto.transports._callbacks import log_hook_error, log_notice, logger

MOST_WAITING: Final = 100
"""The maximum number of notices in the queue."""
MOST_CHARACTERS: Final = 2**20
"""The maximum number of characters of skipped frames that the queue holds in total.

An empty queue accepts any notice.
"""


@define(eq=False)
class HookQueue:
    """Logs notices and calls a hook with each in turn; an async hook runs in a task."""

    call: Callable[[Notice], object]
    tasks: TaskGroup
    _waiting: deque[Notice] = field(init=False, factory=deque[Notice])
    _characters: int = field(init=False, default=0)
    _dropped: int = field(init=False, default=0)
    _running: bool = field(init=False, default=False)

    def tell(self, notice: Notice) -> None:
        """Log a notice and call the hook, at once or after it has handled the earlier notices."""
        log_notice(notice)
        if self._running:
            self._wait(notice)
            return
        returned = self.call(notice)
        if isawaitable(returned):
            self._running = True
            self.tasks.start_soon(self._finish, returned, notice)

    def _wait(self, notice: Notice) -> None:
        size = _characters(notice)
        full = self._waiting and self._characters + size > MOST_CHARACTERS
        if full or len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
        else:
            self._waiting.append(notice)
            self._characters += size

    async def _finish(self, returned: Awaitable[object], notice: Notice) -> None:
        try:
            await _run(returned, notice)
            while self._waiting:
                notice = self._waiting.popleft()
                self._characters -= _characters(notice)
                again = self.call(notice)
                if isawaitable(again):
                    await _run(again, notice)
        finally:
            self._running = False
            lost, self._dropped = self._dropped + len(self._waiting), 0
            if lost:
                logger.warning("the hook was too slow; number of notices it missed: %d", lost)


async def _run(returned: Awaitable[object], notice: Notice) -> None:
    try:
        await returned
    except Exception as error:  # noqa: BLE001 - an error in a hook does not end an operation
        log_hook_error(notice, error)


def _characters(notice: Notice) -> int:
    return len(notice.data) if isinstance(notice, FrameSkipped) else 0
