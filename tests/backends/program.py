"""A control program as the tests talk to it, and the backends that have one."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

import pytest
from attrs import define, field

from tests.json_schema import problem

ROOT: Final = Path(__file__).parents[2]
HERE: Final = Path(__file__).parent
SCHEMA: Final = (ROOT / "spec" / "schemas" / "control.schema.json").read_text("utf-8")
needs_node: Final = pytest.mark.skipif(
    shutil.which("node") is None, reason="node is not on this machine"
)
PATIENCE: Final = 60.0
"""Seconds after which what hangs is a test that failed."""
PROGRAMS: Final = {
    "starlette": (sys.executable, "-m", "tests.backends.starlette_backend.control"),
    "node": ("node", str(HERE / "node_backend" / "control.mjs")),
}

Message = dict[str, str | int | list[str]]
"""What a command is answered with."""


class RefusedError(Exception):
    """The program answered a command with an error."""


def texts(value: str | int | list[str]) -> list[str]:
    """Return a list of an answer."""
    assert isinstance(value, list)
    return value


@define
class Program:
    """A control program that runs."""

    process: subprocess.Popen[str]
    hello: Message = field(init=False)
    _count: int = 0
    _listener: threading.Thread = field(init=False)
    _waiting: dict[object, Future[Message]] = field(factory=dict[object, "Future[Message]"])

    def ask(self, command: str, **arguments: object) -> Future[Message]:
        """Send a command; the answers come in any order."""
        assert self.process.stdin is not None
        self._count += 1
        reply = self._waiting[self._count] = Future()
        self.process.stdin.write(json.dumps({"id": self._count, "do": command, **arguments}) + "\n")
        self.process.stdin.flush()
        return reply

    def do(self, command: str, **arguments: object) -> Message:
        """Send a command and return its answer; raise RefusedError."""
        answer = self.ask(command, **arguments).result(PATIENCE)
        if command == "rotate":
            self.hello.update(answer)  # it may be at another address now
        return answer

    def job(self) -> str:
        """Add a job that does nothing by itself."""
        return str(self.do("job")["id"])

    def emit(self, job: str, count: int, **more: object) -> list[str]:
        """Add events and return their ids."""
        return texts(self.do("emit", job=job, n=count, **more)["ids"])

    def until_unfollowed(self, job: str) -> None:
        """Wait until a job has no stream, for less time than a keep-alive takes."""
        end = time.monotonic() + 5
        while self.do("drop", job=job, how="fin") != {"dropped": 0}:
            assert time.monotonic() < end

    def __getitem__(self, name: str) -> str:
        """Return a text of the answer to `hello`."""
        return str(self.hello[name])

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            answer: dict[str, Message] = json.loads(line)
            reply = self._waiting.pop(answer["re"])
            if wrong := problem(SCHEMA, json.loads(line)):
                reply.set_exception(AssertionError(f"{line}: {wrong}"))
            elif "ok" in answer:
                reply.set_result(answer["ok"])
            else:
                reply.set_exception(RefusedError(str(answer["error"]["message"])))

    def __enter__(self) -> Self:
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.hello = self.do("hello", protocol="arkor-control/1")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self._listener.join()


@contextmanager
def running(name: str, *options: str) -> Generator[Program]:
    """Start the control program of a backend; it is killed at the end of the block."""
    words = PROGRAMS[name]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with (
        subprocess.Popen(
            [*words, *options],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        ) as process,
        Program(process) as program,
    ):
        yield program
