"""The process of the event-stream parser under test, which answers each command once."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from anyio.abc import TaskStatus
from attrs import define, field

from conformance.drive.process import DriverProcess, DriverSilent, DriverUnusable
from conformance.parser import protocol
from conformance.parser.protocol import Introduction, NotAnAnswer
from conformance.parser.streams import Parsed, Stream

_START: Final = 4
"""A parser gets this many times the usual timeout to start, because it may have a lot to load."""


class ParserFailed(Exception):
    """The parser gave no answer: it exited, for example, or took too long; the message says why."""


@define
class ParserProcess:
    """A running parser."""

    patience: float
    _process: DriverProcess = field(init=False)
    _lines: deque[bytes] = field(factory=deque[bytes], init=False)
    _news: anyio.Event = field(factory=anyio.Event, init=False)
    _ended: str = field(default="", init=False)
    _stopped: anyio.Event = field(factory=anyio.Event, init=False)
    introduced: Introduction = field(init=False)

    @classmethod
    @asynccontextmanager
    async def started(
        cls, command: Sequence[str], patience: float
    ) -> AsyncGenerator["ParserProcess", None]:
        """Start a parser and send it `hello`; raise DriverUnusable if it does not answer."""
        parser = cls(patience)
        parser._process = process = DriverProcess.start(
            command, parser._take, parser._end, role="parser"
        )
        failure: DriverUnusable | None = None
        async with anyio.create_task_group() as group:
            reading = anyio.CancelScope()
            await group.start(parser._read, reading)
            try:
                await parser._introduce()
                yield parser
            except DriverUnusable as error:
                # Raised inside the task group, it would arrive as an exception group.
                failure = error
            finally:
                with anyio.CancelScope(shield=True):
                    # Stop the reading tasks first: they cannot wait for a closed pipe.
                    reading.cancel()
                    await parser._stopped.wait()
                    await process.stop()
        if failure is not None:
            raise failure

    async def parse(self, stream: Stream, chunks: Sequence[bytes]) -> Parsed:
        """Have the parser parse a stream, and return the result.

        Raise ParserFailed if the parser gives no answer, and DriverUnusable if its answer is
        invalid.
        """
        line = await self._ask(protocol.parse(stream, chunks), self.patience)
        try:
            return protocol.parsed(line, self.introduced.reports)
        except NotAnAnswer as error:
            raise DriverUnusable(f"the parser {error}") from error

    async def _read(
        self, scope: anyio.CancelScope, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        try:
            with scope:
                task_status.started()
                await self._process.read()
        finally:
            self._stopped.set()

    async def _introduce(self) -> None:
        try:
            line = await self._ask(protocol.hello(), self.patience * _START)
            self.introduced = protocol.introduction(line)
        except NotAnAnswer as error:
            raise DriverUnusable(f"the parser {error}") from error
        except ParserFailed as error:
            silent = not self._ended
            log = str(self._process.log)
            kind = DriverSilent if silent else DriverUnusable
            told = f"the parser {error} without answering `hello`" + (f": {log}" if log else "")
            raise kind(told) from error

    async def _ask(self, command: bytes, patience: float) -> bytes:
        self._process.send(command)
        with anyio.move_on_after(patience):
            while not self._lines and not self._ended:
                self._news = anyio.Event()
                await self._news.wait()
        if self._lines:
            return self._lines.popleft()
        raise ParserFailed(self._ended or f"was silent for {patience:g} s")

    def _take(self, line: bytes) -> None:
        self._lines.append(line)
        self._news.set()

    def _end(self, reason: str) -> None:
        self._ended = reason
        self._news.set()
