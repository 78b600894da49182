"""Sends `arkor-control/1` commands to a control program, which has the backend carry them out."""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import anyio
from anyio.abc import TaskGroup
from attrs import define, field, frozen

from conformance.drive.process import DriverProcess, DriverUnusable
from conformance.plain import HIDDEN, shortened
from conformance.strict_data import Json, ReadingError, Table, kind_of

PROTOCOL: Final = "arkor-control/1"
WORDS: Final = ("job", "emit", "finish", "fail", "drop", "rotate", "forget", "hold", "revoke")
_SHOWN: Final = 160
_MOST_UNANSWERED: Final = 3
"""After this many unanswered commands in a row, the control program is considered hung."""
_TOKEN: Final = re.compile(r'(token"\s*:\s*")[^"]*')
_LEAVE: Final = 1.0
"""How many seconds the reading task has to stop using the pipes."""
_START: Final = 15.0
"""Seconds to wait for the answer to `hello`; the program may have to start a server first."""


class ControlFailed(Exception):
    """The control program did not start, refused a command, gave no valid answer, or ended."""


@frozen(kw_only=True)
class Controlled:
    """What a control program reports about itself and its backend in its answer to `hello`."""

    implementation: str
    version: str
    words: frozenset[str]
    base_url: str = ""
    token: str = field(default="", repr=False)
    other_token: str = field(default="", repr=False)
    other_org: str = ""
    other_project: str = ""
    """The organisation and project in which `other_token` may create a job."""
    org: str = ""
    project: str = ""
    keep: int | None = None
    """The minimum number of events that the backend keeps per job; None if it keeps them all."""


@define(eq=False)
class _Pending:
    answered: anyio.Event = field(factory=anyio.Event)
    ok: Table | None = None
    error: str = ""


@define(eq=False)
class Control:
    """A running control program."""

    command: Sequence[str]
    said: Controlled = field(init=False)
    _process: DriverProcess = field(init=False)
    _pending: dict[int, _Pending] = field(factory=dict[int, _Pending], init=False)
    _reading: anyio.CancelScope = field(factory=anyio.CancelScope, init=False)
    _has_read: anyio.Event = field(factory=anyio.Event, init=False)
    _unanswered: int = field(default=0, init=False)
    _number: int = field(default=0, init=False)
    ended: str = field(default="", init=False)
    """Why the control program can no longer be used; empty while it is usable."""
    patience: float = field(default=10.0, kw_only=True)

    async def start(self, group: TaskGroup) -> None:
        """Start the program and send `hello`; raise ControlFailed if that fails."""
        try:
            self._process = DriverProcess.start(
                self.command, self._hear, self._end, role="control program"
            )
        except DriverUnusable as error:
            raise ControlFailed(f"the control program {error}") from error
        group.start_soon(self._read)
        answer = await self.ask("hello", {"protocol": PROTOCOL}, seconds=_START)
        if self.ended:  # it also printed something invalid
            raise ControlFailed(f"the control program {self.ended}")
        try:
            self.said = _controlled(answer)
        except ReadingError as error:
            raise ControlFailed(
                f"the control program gave an invalid answer to hello: {error.problem}"
            ) from error

    async def _read(self) -> None:
        try:
            with self._reading:
                await self._process.read()
        finally:
            self._has_read.set()

    def has(self, *words: str) -> bool:
        """Return whether the control program has declared that it supports all these commands."""
        return set(words) <= self.said.words

    async def ask(
        self, do: str, arguments: Mapping[str, Json] | None = None, *, seconds: float | None = None
    ) -> Table:
        """Send a command and return the answer; raise ControlFailed if that fails."""
        if self.ended:
            raise ControlFailed(f"the control program {self.ended}")
        self._number += 1
        number, pending = self._number, _Pending()
        self._pending[number] = pending
        message = {"id": number, "do": do, **(arguments or {})}
        self._process.send(json.dumps(message, separators=(",", ":")).encode() + b"\n")
        wait = self.patience if seconds is None else seconds
        with anyio.move_on_after(wait):
            await pending.answered.wait()
        self._pending.pop(number, None)
        if pending.ok is not None:
            return pending.ok
        if pending.error:
            raise ControlFailed(f"the control program refused `{do}`: {pending.error}")
        if self.ended:
            raise ControlFailed(f"the control program {self.ended}{self._last_words}")
        self._unanswered += 1
        if self._unanswered >= _MOST_UNANSWERED:
            self._end(f"did not answer {self._unanswered} commands in a row; the last was `{do}`")
        raise ControlFailed(f"the control program did not answer `{do}` within {wait:g} s")

    async def stop(self) -> None:
        """Send `bye`, then end the program and every process that it started."""
        if not hasattr(self, "_process"):
            return
        if not self.ended:
            with suppress(ControlFailed):
                await self.ask("bye", seconds=2.0)
            self._end("was ended")
        self._reading.cancel()
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(_LEAVE):  # a task cancelled early never sets `_has_read`
                await self._has_read.wait()
            await self._process.stop()

    @property
    def _last_words(self) -> str:
        """Return the end of a message, which quotes the program's last log line; empty if none."""
        self._process.drain_log()
        lines = self.log.strip().splitlines()
        return f"; its last line: {shortened(lines[-1], _SHOWN)}" if lines else ""

    @property
    def log(self) -> str:
        """What the program wrote to standard error."""
        return str(self._process.log) if hasattr(self, "_process") else ""

    def _hear(self, line: bytes) -> None:
        try:
            value: Json = json.loads(line)
        except (ValueError, RecursionError):
            self._end(f"printed {_shown(line)}, which is not JSON; write logs to standard error")
            return
        if not isinstance(value, Mapping):
            self._end(f"printed {_shown(line)}, {kind_of(value)}, not a JSON object")
            return
        if not {"ok", "error"} & value.keys():
            self._end(f"printed {_shown(line)}, which has neither 'ok' nor 'error'")
            return
        self._unanswered = 0
        table = Table("answer", value)
        try:
            number = table.count("re")
            pending = self._pending.get(number)
            if pending is None:
                return  # too late: no caller waits for this answer
            if table.has("error"):
                pending.error = shortened(table.table("error").text("message"), 1000)
            else:
                pending.ok = table.table("ok")
        except ReadingError as error:
            self._end(f"printed {_shown(line)}: {error.problem}")
            return
        pending.answered.set()

    def _end(self, reason: str) -> None:
        self.ended = self.ended or reason
        for pending in self._pending.values():
            pending.answered.set()


def _controlled(answer: Table) -> Controlled:
    words = answer.texts("words")
    strange = [word for word in words if word not in WORDS]
    if strange:
        raise ReadingError(
            "hello", f"{strange[0]!r} is not a known command; the known ones are {', '.join(WORDS)}"
        )
    return Controlled(
        implementation=answer.text("impl"),
        version=answer.text("version"),
        words=frozenset(words),
        base_url=answer.text("base_url", ""),
        token=answer.text("token", ""),
        other_token=answer.text("other_token", ""),
        other_org=answer.text("other_org", ""),
        other_project=answer.text("other_project", ""),
        org=answer.text("org", ""),
        project=answer.text("project", ""),
        keep=answer.count("keep") if answer.has("keep") else None,
    )


def _shown(line: bytes) -> str:
    text = line[:_SHOWN].decode("utf-8", "backslashreplace").strip()
    text = _TOKEN.sub(rf"\1{HIDDEN}", text)
    return f"{text!r}…" if len(line) > _SHOWN else repr(text)
