"""Ends a command immediately if a signal arrives while its modules are being imported.

Until its imports are done, a command cannot report the interruption itself, so this module prints
one line for it. There is nothing to clean up, because the command has not done anything yet.
This affects only a process that was started as one of our commands: in any other process,
importing the package leaves the signal handlers alone.

A signal may also arrive during this module's own imports, so it imports as little as possible:
`signal` takes longer to import than this whole module, while `_signal`, written in C, is built in.
"""

import os
import sys

_MODULES = {
    "arkor-proto": "arkor_proto",
    "arkor-mock": "mock_server",
    "arkor-conformance": "conformance",
}


def is_command() -> bool:
    """Return whether this process runs one of our commands, as a script or with `python -m`."""
    called = sys.argv[0] if sys.argv else ""
    if called == "-m":  # at this point, only `sys.orig_argv` has the module's name
        return any(
            each in sys.orig_argv or f"-m{each}" in sys.orig_argv for each in _MODULES.values()
        )
    name = os.path.basename(called).removesuffix(".exe")  # noqa: PTH119 - pathlib is slow
    if name == "__main__.py":  # `python -m`, once the package has been imported
        name = os.path.basename(os.path.dirname(called))  # noqa: PTH119, PTH120 - as above
        return name in _MODULES.values()
    return name in _MODULES


def quit_on_signals() -> None:
    """On SIGINT or SIGTERM, exit with status 128 + its number, unless it is handled or ignored."""
    signal = sys.modules["_signal"]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _quit)
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _quit)


def _quit(number: int, _: object) -> None:
    signal = sys.modules["_signal"]
    name = b"SIGINT" if number == signal.SIGINT else b"SIGTERM"
    try:
        os.write(2, b"interrupted by " + name + b"\n")
    finally:  # standard error may be closed
        os._exit(128 + number)


if is_command():
    quit_on_signals()
