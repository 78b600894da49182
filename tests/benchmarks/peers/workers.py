"""Starts the processes of the peers, gives them commands with a time limit, and restarts them."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypedDict

from attrs import define, field

from tests.benchmarks.peers.parsers import Row

PATIENCE: Final = 60.0
"""The time limit for a measurement, in seconds."""
_START: Final = 60.0
_ROOT: Final = Path(__file__).parents[3]


class Reply(TypedDict):
    """The members that a worker's replies can have; each reply has those of its command."""

    version: str
    resumes: bool
    counts_memory: bool
    rows: list[Row]
    events: int
    bytes: int
    seconds: float
    seen: int
    wall: float
    cpu: float


class PeerFailed(Exception):
    """A peer did not carry out a command; the message says what it did instead."""


@define
class Worker:
    """One peer in its own process, which is started for the first command."""

    name: str
    command: Sequence[str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _rest: bytes = field(default=b"", init=False)
    _hello: Reply | None = field(default=None, init=False)

    @classmethod
    def in_python(cls, kind: str, name: str) -> "Worker":
        """Return the worker of a Python peer; `kind` is `parser` or `client`."""
        return cls(name, (sys.executable, "-m", "tests.benchmarks.peers.worker", kind, name))

    def ask(self, patience: float = PATIENCE, **command: str) -> Reply:
        """Return the reply to a command; raise PeerFailed if the peer raises, hangs or ends."""
        process = self._running()
        assert process.stdin is not None  # asked for below
        with contextlib.suppress(BrokenPipeError):  # then there is no reply, which is reported
            process.stdin.write(json.dumps(command).encode() + b"\n")
            process.stdin.flush()
        return self._line(process, patience)

    def hello(self) -> Reply:
        """Return the first message of the process; raise PeerFailed if it does not start."""
        self._running()
        assert self._hello is not None  # set when the process was started
        return self._hello

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._rest = b""
            pipe, quiet = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(
                self.command, stdin=pipe, stdout=pipe, stderr=quiet, cwd=_ROOT
            )
            self._hello = self._line(self._process, _START)
        return self._process

    def _line(self, process: subprocess.Popen[bytes], patience: float) -> Reply:
        assert process.stdout is not None  # asked for above
        until = time.monotonic() + patience
        while b"\n" not in self._rest:
            ready = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]
            more = os.read(process.stdout.fileno(), 65_536) if ready else b""
            if not more:
                status = process.wait() if ready else 0
                self.stop()
                ended = f"ends its process with status {status}"
                raise PeerFailed(ended if ready else f"hangs: no answer within {patience:g} s")
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        answer = json.loads(line)
        if "error" in answer:
            raise PeerFailed(f"raises {answer['error']}")
        reply: Reply = answer
        return reply

    def stop(self) -> None:
        """End the process; the next command starts another one."""
        process, self._process = self._process, None
        if process is not None:
            with process:  # closes its pipes and waits for it
                process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
