"""Handle signals that end a command: Ctrl-C, SIGTERM and SIGHUP all end it in the same orderly way.

The event loop turns SIGINT into a cancellation, so the command can end its drivers and keep the
results so far. The other signals are turned into a SIGINT, and the exit status shows the original
signal.
"""

import signal
from types import FrameType
from typing import Final

from attrs import define

# Windows has no SIGHUP; its SIGBREAK means Ctrl-Break or a closed console.
_NAMES: Final = frozenset({"SIGTERM", "SIGHUP", "SIGBREAK"})
_OTHERS: Final = tuple(each for each in signal.Signals if each.name in _NAMES)


@define
class Interruption:
    """The signal that ended the command; SIGINT unless another signal arrived."""

    number: signal.Signals = signal.SIGINT

    def install(self) -> None:
        """Handle the signals from now on, except those that are already ignored, as under nohup."""
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)  # what event loops look for
        for number in _OTHERS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._take)

    @property
    def status(self) -> int:
        """The exit status by shell convention: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number

    def __str__(self) -> str:
        return f"interrupted by {self.number.name}"

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - its signature
        self.number = signal.Signals(number)
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # SIGINT is ignored in a shell's background jobs, so no event loop waits for it.
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)
