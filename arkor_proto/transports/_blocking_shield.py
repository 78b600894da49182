"""Defers signals until the session is in a consistent state.

A signal handler, such as the one that turns Ctrl-C into a KeyboardInterrupt, may raise between any
two steps of the interpreter. In the middle of a session's work, that would leave its state half
changed. So the main thread holds signals back for the microseconds that the work takes, and lets
them through while it sleeps or runs the application's code. To do this, it temporarily replaces the
handlers written in Python; a handler that the application itself replaces is left alone.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final, Self, TypeAlias, TypeVar

from attrs import define, field

Argument = TypeVar("Argument")
Result = TypeVar("Result")

_Handler: TypeAlias = Callable[[int, FrameType | None], object]
_NAMES: Final = frozenset({"SIGINT", "SIGTERM", "SIGHUP", "SIGALRM"})
_HELD: Final = tuple(each for each in signal.Signals if each.name in _NAMES)


@define(eq=False)
class Shield:
    """Holds signals back in a `with` block of the main thread, except while `outside` runs."""

    raised: BaseException | None = field(init=False, default=None)
    """The last exception that a handler raised."""
    _behind: dict[int, _Handler] = field(init=False, factory=dict[int, _Handler])
    _held: list[int] = field(init=False, factory=list[int])
    _open: bool = field(init=False, default=True)

    def __enter__(self) -> Self:
        try:
            if threading.current_thread() is threading.main_thread():
                for number in _HELD:
                    if callable(before := signal.getsignal(number)):
                        self._behind[number] = before
                        signal.signal(number, self._take)
            self._open = False
        except BaseException:
            self._put_back()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._put_back()
        self._let_through()

    def _put_back(self) -> None:
        try:
            for number, before in self._behind.items():
                if signal.getsignal(number) == self._take:
                    signal.signal(number, before)
        finally:
            self._open = True  # a handler that could not be removed must not hold signals back

    def outside(self, function: Callable[[Argument], Result], argument: Argument) -> Result:
        """Let signals through, deferred ones first, while calling a function; return its result."""
        try:
            self._open = True
            if self._held:
                self._let_through()
            return function(argument)
        finally:
            self._open = False

    def _let_through(self) -> None:
        while self._held:
            self._pass_on(self._held.pop(0), None)

    def _take(self, number: int, frame: FrameType | None) -> None:
        """Handle a signal in place of the application's handler."""
        if not self._open:
            self._held.append(number)
            return
        # Once `function` has returned, `outside` must not be interrupted twice.
        if frame is not None and frame.f_code is Shield.outside.__code__:
            self._open = frame.f_locals["self"] is not self
        self._pass_on(number, frame)
        self._open = True

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        try:
            self._behind[number](number, frame)
        except BaseException as error:
            self.raised = error
            raise
