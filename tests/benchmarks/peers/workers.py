"""The processes of the peers, from outside: each is asked with a time limit, and started again."""

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
"""Seconds for an answer that is measured."""
_START: Final = 60.0
_ROOT: Final = Path(__file__).parents[3]


class Reply(TypedDict):
    """What workers answer; each answer has those of these that were asked for."""

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
    """A peer did not do what it was asked; the message says what it did."""


@define
class Worker:
    """One peer in a process of its own, which is started when it is first asked."""

    name: str
    command: Sequence[str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _rest: bytes = field(default=b"", init=False)
    _hello: Reply | None = field(default=None, init=False)

    @classmethod
    def in_python(cls, kind: str, name: str) -> "Worker":
        """Return the worker of a peer in Python, a `parser` or a `client`."""
        return cls(name, (sys.executable, "-m", "tests.benchmarks.peers.worker", kind, name))

    def ask(self, patience: float = PATIENCE, **command: str) -> Reply:
        """Return the answer; raises PeerFailed if the peer raises, ends or does not answer."""
        process = self._running()
        assert process.stdin is not None  # asked for below
        with contextlib.suppress(BrokenPipeError):  # then there is no answer, which says it
            process.stdin.write(json.dumps(command).encode() + b"\n")
            process.stdin.flush()
        return self._line(process, patience)

    def hello(self) -> Reply:
        """Return how the process introduced itself; raises PeerFailed if it does not start."""
        self._running()
        assert self._hello is not None  # known since the process runs
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
        """End the process; the next question starts another one."""
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
