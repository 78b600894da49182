"""Serve `arkor-control/1` on stdin and stdout: one JSON object per line, and a reply to each."""

import json
import sys
from collections.abc import Mapping
from typing import Final

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from mock_server.admin.process import Process, until_ended
from mock_server.control.desk import PROTOCOL, Desk
from mock_server.control.lines import LONGEST, StdinLines
from mock_server.durable import say
from mock_server.scenario.model import Scenario
from mock_server.server import MockServer
from mock_server.stdin import Stdin
from mock_server.strict.json import parsed_json
from mock_server.strict.shapes import is_table

_HELLO: Final = json.dumps({"id": 1, "do": "hello", "protocol": PROTOCOL})
_LATER: Final = frozenset({"held"})
"""Commands that wait for something; later commands are carried out while they wait."""


async def control(scenario: Scenario) -> None:
    """Serve a scenario until `bye`, the end of stdin or a signal.

    Raise OSError if the server cannot listen, or if a reply cannot be written.
    """
    async with until_ended(Process()) as ended, MockServer(scenario) as server:
        if sys.stdin is not None and sys.stdin.isatty():
            say(
                f"this command is meant to be driven by a conformance kit, which sends lines such as {_HELLO}; Ctrl-C ends it"
            )
        conversation = _Conversation(Desk(server), ended)
        async with anyio.create_task_group() as group:
            group.start_soon(conversation.run, group)
            await ended.wait()
            group.cancel_scope.cancel()
    if conversation.failure is not None:
        raise conversation.failure


@define(eq=False)
class _Conversation:
    """Reads commands from stdin and writes replies to stdout."""

    _desk: Desk
    _ended: anyio.Event
    failure: OSError | None = field(default=None, init=False)
    """The error that prevented a reply from being written."""

    async def run(self, group: TaskGroup) -> None:
        """Carry out the commands in order, up to `bye` or the end of stdin."""
        with Stdin() as stdin:
            lines = StdinLines(stdin)
            while not self._desk.over and (line := await lines.next()) is not None:
                message = _message_in(line)
                if isinstance(message, str):
                    self._say({"re": None, "error": {"message": message}})
                elif message.get("do") in _LATER:
                    group.start_soon(self._carry_out, message)
                else:
                    await self._carry_out(message)
        self._ended.set()

    async def _carry_out(self, message: Mapping[str, object]) -> None:
        self._say(await self._desk.answer(message))

    def _say(self, answer: Mapping[str, object]) -> None:
        if self.failure is not None:
            return
        try:
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        except OSError as error:
            self.failure = error
            self._ended.set()


def _message_in(line: bytes) -> Mapping[str, object] | str:
    """Parse a line; return the command, or a message if the line is not a command."""
    if len(line) > LONGEST:
        return f"the line is longer than {LONGEST >> 20} MiB"
    try:
        found = parsed_json(line.decode())
    except UnicodeDecodeError as error:
        return f"the line is not UTF-8 (byte {error.start})"
    except ValueError as error:
        return f"the line is not JSON: {error}"
    if not is_table(found):
        return 'the line is not a JSON object; send one such as {"id": 1, "do": "job"}'
    return found
