"""The process of a parser under test: one command, one answer."""

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import anyio
from attrs import define, field

from conformance.drive.process import DriverProcess, DriverSilent, DriverUnusable
from conformance.parser import protocol
from conformance.parser.protocol import Introduction, NotAnAnswer
from conformance.parser.streams import Parsed, Stream

_START: Final = 4
"""How many times the patience a parser has to start: it may have to load a lot."""


class ParserFailed(Exception):
    """The parser ended or went silent in the middle of a stream; the message says which."""


@define
class ParserProcess:
    """A running parser."""

    patience: float
    _process: DriverProcess = field(init=False)
    _lines: deque[bytes] = field(factory=deque[bytes], init=False)
    _news: anyio.Event = field(factory=anyio.Event, init=False)
    _ended: str = field(default="", init=False)
    introduced: Introduction = field(init=False)

    @classmethod
    @asynccontextmanager
    async def started(
        cls, command: Sequence[str], patience: float
    ) -> AsyncGenerator["ParserProcess", None]:
        """Start a parser that introduces itself; raises DriverUnusable if it does not."""
        parser = cls(patience)
        parser._process = process = DriverProcess.start(command, parser._take, parser._end)
        failure: DriverUnusable | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(process.read)
            try:
                await parser._introduce()
                yield parser
            except DriverUnusable as error:
                # Raised inside the task group, it would arrive as an exception group.
                failure = error
            finally:
                await process.stop()
                group.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def parse(self, stream: Stream, chunks: Sequence[bytes]) -> Parsed:
        """Return what the parser makes of a stream.

        Raises ParserFailed if it ends or goes silent, and DriverUnusable for what is not an answer.
        """
        line = await self._ask(protocol.parse(stream, chunks), self.patience)
        try:
            return protocol.parsed(line, self.introduced.reports)
        except NotAnAnswer as error:
            raise DriverUnusable(f"the parser {error}") from error

    async def _introduce(self) -> None:
        try:
            line = await self._ask(protocol.hello(), self.patience * _START)
            self.introduced = protocol.introduction(line)
        except NotAnAnswer as error:
            raise DriverUnusable(f"the parser {error}") from error
        except ParserFailed as error:
            silent = not self._ended
            told = f": {self._process.log}" if str(self._process.log) else ""
            kind = DriverSilent if silent else DriverUnusable
            raise kind(f"the parser {error} and had not answered hello{told}") from error

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
