"""Talk to a driver over its pipes, one command at a time, without the kit."""

import contextlib
import json
import subprocess
import threading
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path

from attrs import define, field

from conformance.strict_data import Json, parse_json
from tests.conformance.commandline import ROOT

PATIENCE = 60
"""A driver that has not ended after this many seconds is killed, and the test fails."""


def _table(line: str) -> Mapping[str, Json]:
    message = parse_json(line)
    assert isinstance(message, Mapping), line
    return message


@define
class Dialogue:
    """The driver, and every event that it has printed so far."""

    process: subprocess.Popen[bytes]
    log: Path
    events: list[Mapping[str, Json]] = field(factory=list[Mapping[str, Json]], init=False)
    _number: int = field(default=0, init=False)

    def send(self, line: bytes) -> None:
        """Write one line of any kind."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def begin(self, name: str | None, **arguments: Json) -> int:
        """Send a command and return its number."""
        self._number += 1
        given = {} if name is None else {"do": name}
        self.send(json.dumps({"id": self._number, **given, **arguments}).encode())
        return self._number

    def answer_to(self, number: int) -> Mapping[str, Json]:
        """Read up to the answer to a command, which must be the next answer of all."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = _table(line.decode())
            if "re" in message:
                assert message["re"] == number, f"{message} is not the answer to {number}"
                return message
            self.events.append(message)
        raise AssertionError(f"the driver ended without an answer: {self.said()}")

    def ask(self, name: str | None, **arguments: Json) -> Mapping[str, Json]:
        """Send a command and return its answer."""
        return self.answer_to(self.begin(name, **arguments))

    def open(self, fault: str) -> Mapping[str, Json]:
        """Open a case whose client has this fault."""
        return self.ask("open", case="a-case", config={"fault": fault})

    def failure(self, name: str | None, **arguments: Json) -> tuple[str, str]:
        """Send a command that fails; return the kind and the message of its error."""
        answer = self.ask(name, **arguments)
        error = answer.get("error")
        assert isinstance(error, Mapping), f"it did not fail: {answer}"
        return str(error["kind"]), str(error["message"])

    def status(self) -> int:
        """Close its input and return how it ended."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def said(self) -> str:
        """Return its standard error so far."""
        return self.log.read_text("utf-8")


@contextlib.contextmanager
def dialogue(command: Sequence[str], log: Path) -> Generator[Dialogue, None, None]:
    """Start a driver; its standard error goes to `log`."""
    pipe = subprocess.PIPE
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=errors, cwd=ROOT) as process,
    ):
        watchdog = threading.Timer(PATIENCE, process.kill)
        watchdog.start()
        try:
            yield Dialogue(process, log)
        finally:
            watchdog.cancel()
            process.kill()
