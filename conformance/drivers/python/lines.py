"""Read and write one JSON object per line on standard input and output."""

import contextlib
import json
import math
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, TypeGuard

import anyio
from anyio import to_thread

from conformance.strict_data import Json, parse_json

_BLOCK: Final = 1 << 16
_STDIN: Final = 0
_DEEPEST: Final = 64
"""If JSON cannot express a message, its values are printed down to this level of nesting."""


class NotACommand(Exception):
    """A line of standard input is not a JSON object; the text of this error is for the user."""


def emit(message: Mapping[str, object]) -> None:
    """Print one message immediately, so that the kit can read it before the client's next request.

    Values that JSON cannot express are printed as strings, so that the kit sees them too: `"NaN"`,
    `"Infinity"`, or the `repr` of an object.
    """
    try:
        line = _line(message)
    except (TypeError, ValueError, RecursionError):
        line = _line({key: _as_json(value, 1) for key, value in message.items()})
    # Not sys.stdout, which is redirected to standard error while a driver serves. Each line is
    # printed in one piece, because a client may have several threads.
    print(f"{line}\n", end="", file=sys.__stdout__, flush=True)


def log(text: str) -> None:
    """Print a line for the user to standard error."""
    sys.stderr.write(f"driver: {text}\n")
    sys.stderr.flush()


def _line(message: Mapping[str, object]) -> str:
    return json.dumps(message, allow_nan=False, separators=(",", ":"), default=_plain)


def _is_table(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, bytes | bytearray)


def _plain(value: object) -> dict[object, object]:
    if _is_table(value):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _as_json(value: object, depth: int) -> object:
    if depth > _DEEPEST:
        return "… (nested too deeply)"
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            names = {math.inf: "Infinity", -math.inf: "-Infinity"}
            return value if math.isfinite(value) else names.get(value, "NaN")
        case _ if _is_table(value):
            return {str(key): _as_json(item, depth + 1) for key, item in value.items()}
        case _ if _is_list(value):
            return [_as_json(item, depth + 1) for item in value]
        case _:
            return repr(value)


async def commands() -> AsyncGenerator[Mapping[str, Json], None]:
    """Yield the commands on standard input until it is closed.

    Skip empty lines; raise NotACommand for any other line that is not a command.
    """
    partial = b""
    number = 0
    while block := await _block():
        *lines, partial = (partial + block).split(b"\n")
        for line in lines:
            number += 1
            if line.strip():
                yield _command(line, number)
    if partial.strip():
        yield _command(partial, number + 1)


async def _block() -> bytes:
    if sys.platform == "win32":  # Windows can wait only for sockets
        return await to_thread.run_sync(os.read, _STDIN, _BLOCK, abandon_on_cancel=True)
    # Waiting fails only for regular files, and reading those never blocks.
    with contextlib.suppress(PermissionError):
        await anyio.wait_readable(_STDIN)
    return os.read(_STDIN, _BLOCK)


def _command(line: bytes, number: int) -> Mapping[str, Json]:
    try:
        message = parse_json(line)
    except ValueError as error:
        # The line is not shown because it may contain a token.
        raise NotACommand(f"line {number} of standard input is not JSON: {error}") from error
    if not isinstance(message, Mapping):
        raise NotACommand(f"line {number} of standard input is not a JSON object")
    return message
