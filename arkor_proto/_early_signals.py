"""Signals while the command line is still being imported: it ends at once, and says nothing.

Before its imports are done the command can neither report an interruption nor has it sent anything
that would need one. Only a process that was started as the command is changed by this: in any
other one, importing the package leaves the signals alone.

What is imported here can itself be interrupted, so it is next to nothing: the module `signal` takes
longer than all of this, while the one in C below it is there from the start.
"""

import os
import sys


def is_command() -> bool:
    """Tell whether this process runs the command line: as a script, or with `python -m`."""
    called = sys.argv[0] if sys.argv else ""
    if called == "-m":  # the name of the module is known to the interpreter alone so far
        return "arkor_proto" in sys.orig_argv or "-markor_proto" in sys.orig_argv
    return os.path.basename(called).removesuffix(".exe") == "arkor-proto"  # noqa: PTH119 (slow)


def quit_on_signals() -> None:
    """End with 128 and the signal's number on SIGINT and SIGTERM, unless they are ignored."""
    signal = sys.modules["_signal"]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _quit)
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _quit)


def _quit(number: int, _: object) -> None:
    os._exit(128 + number)


if is_command():
    quit_on_signals()
