"""The backend of a soak: `arkor-mock serve` in a process of its own, with random faults."""

import json
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.request import urlopen

from attrs import frozen

from arkor_proto.cli.shell import UNABLE, CommandError
from mock_server.strict.shapes import is_array, is_table
from tests.soak import memory
from tests.soak.memory import InUse

EVENTS: Final = 12
"""The events of a job that is not cancelled."""
_ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 10.0


@frozen
class Pace:
    """The times of a run, in seconds."""

    interval: float
    """Between two events of a job."""
    silence: float
    """After this long a follower takes a stream for dead."""
    spread: float
    """Over which the followers begin, and end, so that they do not all do so at once."""

    @classmethod
    def of(cls, seconds: float, followers: int, interval: float | None = None) -> "Pace":
        """Return the times for a run of so many seconds, with whole jobs in a short one too."""
        chosen = min(12.0, seconds / 50) if interval is None else interval
        return cls(chosen, 0.5 + 2 * chosen, min(seconds / 6, followers / 25))


def faults(pace: Pace) -> Mapping[str, Mapping[str, object]]:
    """Return the rules of the scenario by what a reader calls them."""

    def stream(probability: float, **words: object) -> Mapping[str, object]:
        return {"on": {"route": "stream", "probability": probability}, **words}

    def frames(probability: float, **words: object) -> Mapping[str, object]:
        return {"on": {"route": "stream", "frame": "1-", "probability": probability}, **words}

    ping = {"event": "ping", "data": "{}"}
    return {
        "EOF": stream(0.1, after={"frames": 3}, end="eof"),
        "RST": stream(0.1, after={"frames": 4}, end="rst"),
        "RST in a frame": stream(0.1, after={"frames": 2, "bytes": 20}, end="rst"),
        "FIN in a frame": stream(0.1, after={"frames": 5, "bytes": 33}, end="fin"),
        "short chunk": stream(0.05, after={"frames": 3, "bytes": 9}, end="short_chunk"),
        "bad chunk": stream(0.05, after={"frames": 6}, end="bad_chunk"),
        "garbage": stream(0.03, after={"frames": 1}, end="garbage"),
        "silence": stream(0.05, after={"frames": 3}, end="hang"),
        "pause": stream(0.05, after={"frames": 2}, stall={"ms": pace.interval * 700}),
        "503": stream(0.1, status=503, retry_after=0.1),
        "HTML": stream(0.03, content_type="text/html", body="<html>Please sign in.</html>"),
        "frame twice": frames(0.01, duplicate=True),
        "frame in pieces": frames(0.05, slice="random"),
        "ping and comment": frames(0.05, inject=[ping, {"comment": "keep-alive"}]),
        "not JSON": frames(0.02, inject=[{"event": "training.log", "data": "{"}]),
        "lost answer": {"on": {"route": "create", "probability": 0.03}, "lose": "response"},
        "reset at accept": {"on": {"connection": "1-", "probability": 0.02}, "accept": "rst"},
    }


def scenario(followers: int, pace: Pace, seed: int) -> Mapping[str, object]:
    """Return the scenario: jobs of some length, the faults, and room for the followers.

    As many jobs as are ever kept are there from the start, so that the mock does not grow until they are.
    """
    kept = min(max(followers, 200), 9000)  # few enough to be replaced by real jobs in the warm-up
    over = {"events": EVENTS, "submitted": True, "emitted": True}
    before = [{"id": f"before-{number}", **over} for number in range(kept)]
    return {
        "schema": 1,
        "name": "soak",
        "seed": seed,
        "backend": {"keep_alive_ms": pace.interval * 800},
        "limits": {
            "connections": 3 * followers + 100,
            "jobs": followers + kept,
            "job_bytes": 1 << 36,
            "records": 1000,
            "open_bytes": 1 << 30,
        },
        "job": [*before, {"events": EVENTS, "interval_ms": pace.interval * 1000}],
        "rule": list(faults(pace).values()),
    }


@frozen
class Backend:
    """The process."""

    process: "subprocess.Popen[str]"
    base_url: str
    admin_url: str
    names: tuple[str, ...]
    """The names of the faults, in the order of the rules."""
    _memory_file: Path

    @property
    def resident(self) -> int:
        """Its resident memory, in bytes."""
        return memory.resident(self.process.pid)

    @property
    def in_use(self) -> InUse | None:
        """What it uses of its memory; None before it has told."""
        if not self._memory_file.exists():
            return None
        told: object = json.loads(self._memory_file.read_text("utf-8"))
        if not is_table(told):
            return None
        objects, heap = told.get("objects"), told.get("heap")
        return InUse(objects, heap) if isinstance(objects, int) and isinstance(heap, int) else None

    @property
    def descriptors(self) -> int:
        """How many descriptors it has open."""
        return memory.descriptors(self.process.pid)

    @property
    def ended(self) -> str | None:
        """What ended it; None while it runs."""
        status = self.process.poll()
        if status is None:
            return None
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def fired(self) -> Mapping[str, int]:
        """Return how often each fault has happened."""
        told = self._read(f"{self.admin_url}/servers")
        servers = told.get("servers") if is_table(told) else None
        first = servers[0] if is_array(servers) else None
        name = first.get("id") if is_table(first) else None
        told = self._read(f"{self.admin_url}/servers/{name}/rules")
        rules = told.get("rules") if is_table(told) else None
        counts = [rule.get("acted") if is_table(rule) else None for rule in _list(rules)]
        named = zip(self.names, counts, strict=True)
        return {name: count for name, count in named if isinstance(count, int)}

    def _read(self, url: str) -> object:
        with urlopen(url, timeout=_PATIENCE) as answer:
            found: object = json.loads(answer.read())
            return found

    def settle(self, at_most: int) -> int:
        """Wait until it has at most so many descriptors, for a few seconds; return how many."""
        until = time.monotonic() + _PATIENCE
        while (found := self.descriptors) > at_most and time.monotonic() < until:
            time.sleep(0.05)
        return found


def _list(value: object) -> list[object]:
    return list(value) if is_array(value) else []


@contextmanager
def backend(followers: int, pace: Pace, seed: int, every: float) -> Generator[Backend]:
    """Run the mock for the length of a `with`; raise CommandError if it does not start.

    It tells its memory again after `every` seconds.
    """
    with TemporaryDirectory() as place:
        path = Path(place, "soak.json")
        path.write_text(json.dumps(scenario(followers, pace, seed)), "utf-8")
        told = Path(place, "memory.json")
        command = [
            sys.executable,
            "-m",
            "tests.soak.mock",
            str(told),
            str(every),
            "serve",
            str(path),
        ]
        process = subprocess.Popen(
            [*command, "--exit-on-stdin-eof"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            start_new_session=True,  # a Ctrl-C is for us; the mock ends when we say so
        )
        try:
            yield _ready(process, tuple(faults(pace)), told)
        finally:
            _end(process)


def _ready(process: "subprocess.Popen[str]", names: tuple[str, ...], memory_file: Path) -> Backend:
    line = process.stdout.readline() if process.stdout else ""
    told: object = json.loads(line) if line else None
    if not is_table(told):
        raise CommandError("the mock did not start; its message is above", UNABLE)
    return Backend(
        process, str(told.get("base_url")), str(told.get("admin_url")), names, memory_file
    )


def _end(process: "subprocess.Popen[str]") -> None:
    if process.stdin:
        process.stdin.close()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()
