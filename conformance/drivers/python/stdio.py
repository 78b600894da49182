"""The plumbing of a driver in Python: the driver's side of `arkor-drive/1`.

An adapter connects it to a client: the adapter opens a client for each case and classifies the
errors that this client raises. To write a driver in another language, read this file,
`open_case.py` and `lines.py`; they show what a driver must do.
"""

import contextlib
import sys
from collections.abc import Mapping
from typing import Final

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from attrs import define, field

from conformance.drivers.python import lines
from conformance.drivers.python.desk import Client, Desk, Explain, Failure, Opener, Provoked, reply
from conformance.drivers.python.open_case import OpenCase
from conformance.strict_data import Json, Table

__all__ = ["Client", "Desk", "Explain", "Failure", "Opener", "Provoked", "serve"]

VIRTUAL: Final = "virtual"
"""The value of `time` in the `hello` command when the kit controls the time."""
PROTOCOL: Final = "arkor-drive/1"
_OPERATIONS: Final = ("start", "wait", "cancel", "abort")
_KNOWN: Final = ("hello", "open", *_OPERATIONS, "wake", "close", "bye")
_WRONG_INPUT: Final = 2


@define
class _Service:
    """Carries out the kit's commands in order."""

    hello: Mapping[str, Json]
    opener: Opener
    explain: Explain
    group: TaskGroup
    _virtual: bool = field(default=True, init=False)
    _case: OpenCase | None = field(default=None, init=False)

    async def take(self, message: Mapping[str, Json]) -> None:
        """Carry out one command and answer it; an operation is answered when it settles."""
        number = message.get("id")
        match message.get("do"):
            case "hello":
                self._introduce(number, message)
            case "open":
                reply(number, await self._open(message.get("config")))
            case "wake":
                if self._case is not None:
                    self._case.clock.advance(message.get("ms"))
                    self._case.clock.wake(message.get("n"))
                reply(number)
            case "close":
                reply(number, await self._close())
            case "bye":
                reply(number)
            case str() as name if name in _OPERATIONS:
                self._operate(number, name, message.get("reason"))
                # Let the operation begin before the next line is answered.
                await anyio.lowlevel.checkpoint()
            case name:
                wrong = "the command has no 'do'" if name is None else f"{name!r} is not a command"
                known = ", ".join(_KNOWN)
                reply(number, Failure("unsupported", f"{wrong}; use one of {known}"))

    def _introduce(self, number: Json, message: Mapping[str, Json]) -> None:
        asked = message.get("protocol", PROTOCOL)
        if asked != PROTOCOL:
            problem = f"unknown protocol {asked!r}; this driver speaks {PROTOCOL}"
            reply(number, Failure("unsupported", problem))
            return
        self._virtual = message.get("time", VIRTUAL) == VIRTUAL
        hello = self.hello if self._virtual else _in_real_time(self.hello)
        if number is not None:
            lines.emit({"re": number, "ok": hello})

    async def _open(self, config: Json) -> Failure | None:
        await self._close()
        if not isinstance(config, Mapping):
            return Failure("unsupported", "open has no 'config' object; send one")
        self._case = OpenCase(self.opener, self.explain, self._virtual, config)
        self.group.start_soon(self._case.run)
        return await self._case.opened()

    async def _close(self) -> Failure | None:
        case, self._case = self._case, None
        return await case.close() if case is not None else None

    def _operate(self, number: Json, name: str, reason: Json) -> None:
        if self._case is None:
            reply(number, Failure("unsupported", f"{name}: no case is open; send 'open' first"))
        else:
            self._case.do(number, name, reason)


async def serve(hello: Mapping[str, Json], opener: Opener, explain: Explain) -> None:
    """Speak the protocol on standard input and output until `bye` or the end of input.

    If the kit asks for real time, the answer to `hello` omits the `clock.…` capabilities.
    """
    with contextlib.redirect_stdout(sys.stderr):
        problem = await _serve(hello, opener, explain)
    if problem is not None:
        lines.log(problem)
        sys.exit(_WRONG_INPUT)


async def _serve(hello: Mapping[str, Json], opener: Opener, explain: Explain) -> str | None:
    """Carry out commands until `bye`; return what was wrong if one could not be read."""
    problem: str | None = None
    async with anyio.create_task_group() as group:
        service = _Service(hello, opener, explain, group)
        try:
            async for message in lines.commands():
                await service.take(message)
                if message.get("do") == "bye":
                    break
        except lines.NotACommand as error:
            problem = str(error)
        group.cancel_scope.cancel()
    return problem


def _in_real_time(hello: Mapping[str, Json]) -> Mapping[str, Json]:
    names = Table("hello", hello).texts("capabilities")
    return {**hello, "capabilities": [name for name in names if not name.startswith("clock.")]}
