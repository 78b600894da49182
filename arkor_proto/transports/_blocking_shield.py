"""Ctrl-C that waits until the session is at rest.

It knows signals of the main thread. It refuses to know what is going on behind the shield.

A KeyboardInterrupt is raised between any two steps of the interpreter. Amid a session's own work it
would leave a half-made move behind, and the next wait would find it. So the main thread holds it
back there, for microseconds, and lets it through wherever it sleeps or runs the application's code.
"""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

from attrs import define, field

_Handler: TypeAlias = Callable[[int, FrameType | None], object]


@define(eq=False)
class Shield:
    """Holds Ctrl-C back until `lowered`, on behalf of the handler `behind` it."""

    behind: _Handler
    _up: bool = field(init=False, default=True)
    _pressed: bool = field(init=False, default=False)

    def note(self, number: int, frame: FrameType | None) -> None:
        """Take the signal: it is the handler."""
        if self._up:
            self._pressed = True
        else:
            self.behind(number, frame)

    @contextmanager
    def lowered(self) -> Generator[None]:
        """Let Ctrl-C through, one that was held back as well."""
        self._up = False
        try:
            self.let_through()
            yield
        finally:
            self._up = True

    def let_through(self) -> None:
        """Raise what was held back."""
        if self._pressed:
            self._pressed = False
            self.behind(signal.SIGINT, None)


@contextmanager
def shielded() -> Generator[Shield | None]:
    """Raise a shield; None where Ctrl-C is not ours: in other threads, or with a handler of its own."""
    before = signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    ours = before is signal.default_int_handler or isinstance(
        getattr(before, "__self__", None), Shield
    )
    if not main or not ours or not callable(before):
        yield None
        return
    shield = Shield(before)
    signal.signal(signal.SIGINT, shield.note)
    try:
        yield shield
    finally:
        signal.signal(signal.SIGINT, before)
    shield.let_through()
