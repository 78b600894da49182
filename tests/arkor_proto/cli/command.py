"""Runs the command as its user does: a process with arguments, an environment and signals."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from attrs import frozen

from tests.arkor_proto.blocking.fixtures_blocking import PATIENCE

TOKEN: Final = "tok-command-line-secret"
JOB: Final = """\
name = "bot"
model = "m"
[dataset]
type = "blob"
url = "https://d.example/x"
token = "tok-dataset-file-secret"
[options]
max_steps = 3
"""
_SECRETS: Final = (TOKEN, "tok-dataset-file-secret")
_COMMAND: Final = (sys.executable, "-W", "error", "-m", "arkor_proto")


def environment(**changes: str | None) -> dict[str, str]:
    """Return an environment with a token; a change to None takes a variable out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ARKOR_")}
    changed: Mapping[str, str | None] = {**kept, "ARKOR_TOKEN": TOKEN, **changes}
    return {name: value for name, value in changed.items() if value is not None}


@frozen
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> list[dict[str, object]]:
        """The lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


def checked(code: int, out: str, err: str) -> Ran:
    """Return how a command ended, which is never with a traceback or a secret on the screen."""
    assert "Traceback" not in err, err
    assert not any(secret in out + err for secret in _SECRETS)
    return Ran(code, out, err)


def run(*arguments: str, **changes: str | None) -> Ran:
    """Run the command to its end."""
    ended = subprocess.run(
        [*_COMMAND, *arguments],
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return checked(ended.returncode, ended.stdout, ended.stderr)


@frozen
class Running:
    """A command under way."""

    process: subprocess.Popen[str]
    out: IO[str]
    err: IO[str]

    def until(self, text: str, stream: IO[str] | None = None) -> None:
        """Read lines until one has `text` in it."""
        for line in stream or self.out:
            if text in line:
                return
        raise AssertionError(f"{text!r} never came; {self.err.read()}")

    def signal(self, number: signal.Signals) -> Ran:
        """Send a signal and return how the command ended."""
        self.process.send_signal(number)
        return self.end()

    def end(self) -> Ran:
        """Return how the command ended."""
        out, err = self.process.communicate(timeout=PATIENCE)
        return checked(self.process.returncode, out, err)


@contextmanager
def running(*arguments: str, **changes: str | None) -> Generator[Running]:
    """Start the command; it is killed if it outlives the block."""
    with subprocess.Popen(
        [*_COMMAND, *arguments],
        env=environment(**changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            yield Running(process, process.stdout, process.stderr)
        finally:
            process.kill()


def job_file(directory: Path, text: str = JOB) -> str:
    """Write a job file and return its name."""
    path = directory / "job.toml"
    path.write_text(text)
    return str(path)
