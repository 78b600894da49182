"""Ctrl-C pressed from outside, at random moments of a busy stream: no event is lost, nothing hangs."""

import json
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from tempfile import TemporaryFile

import pytest
from attrs import define, field

from tests.arkor_proto.blocking.fixtures_blocking import PATIENCE, answering, threads
from tests.arkor_proto.transports.peer import LAST_CHUNK, STREAM_HEAD, Visit, chunk
from tests.arkor_proto.wire_samples import COMPLETED, frame, log

BURST = 20
"""Events in one chunk of the stream."""
AT_MOST = 0.005
"""Seconds from a program's being ready to the press."""
HANDLERS = ["python", "own", "thread", "client"]


@define
class Presser:
    """Presses Ctrl-C on a program whenever it is ready, at moments that the seed decides."""

    program: subprocess.Popen[str]
    seed: int
    pressed: int = 0
    lines: queue.SimpleQueue[str] = field(factory=queue.SimpleQueue[str])

    def read(self) -> None:
        """Read what the program prints."""
        assert self.program.stdout is not None
        for line in self.program.stdout:
            self.lines.put(line)

    def press(self, presses: int) -> None:
        """Press so many times, unless the program presses by itself."""
        chance = random.Random(self.seed)  # noqa: S311 - the same presses each time
        while self.pressed < presses:
            if self._ready():
                time.sleep(chance.random() * AT_MOST)
                os.kill(self.program.pid, signal.SIGINT)
            self.pressed += 1

    def _ready(self) -> bool:
        """Wait until the program can be pressed; return False if it pressed by itself.

        A press that comes while Python reports that it ignored another one is ignored, too, and
        the program follows its stream: it can be pressed again.
        """
        try:
            return self.lines.get(timeout=PATIENCE) == "ready\n"
        except queue.Empty:
            return True

    def report(self) -> Mapping[str, int]:
        """Return the last that the program prints."""
        while not (line := self.lines.get(timeout=2 * PATIENCE)).startswith("{"):
            pass
        report: dict[str, int] = json.loads(line)
        return report


def check(handler: str, presses: int, seed: int) -> None:
    """Press while a program follows a stream without end: it must hear every event of it."""
    enough = threading.Event()

    async def backend(visit: Visit) -> None:
        asked = await visit.request()
        step = int(asked.header("Last-Event-ID") or 0)
        await visit.send(STREAM_HEAD)
        last = False
        while not last:  # a last burst, so that there is something to hear after the last press
            last = enough.is_set()
            steps = range(step + 1, step + 1 + BURST)
            await visit.send(chunk(b"".join(frame(log(each), id=str(each)) for each in steps)))
            step += BURST
        await visit.send(chunk(frame(COMPLETED, id=str(step + 1))) + LAST_CHUNK)
        await visit.until_left()

    command = [sys.executable, "-m", "tests.arkor_proto.blocking.pressed"]
    with (
        answering(backend) as peer,
        TemporaryFile("w+") as errors,
        subprocess.Popen(
            [*command, peer.base_url, handler], stdout=subprocess.PIPE, stderr=errors, text=True
        ) as program,
        threads() as run,
    ):
        presser = Presser(program, seed)
        reading = run(presser.read)
        try:
            presser.press(presses)
            enough.set()
            report = presser.report()
        finally:
            program.kill()
            reading.result(PATIENCE)
        errors.seek(0)
        ignored = errors.read().count("Exception ignored")
    assert report["lost"] == 0
    assert report["back"] <= report["interrupts"]
    assert report["heard"] > 0
    if handler == "thread":  # it goes on pressing until the stream is over
        assert report["interrupts"] + ignored >= presses
    else:
        assert report["interrupts"] + ignored == presses


@pytest.mark.parametrize("handler", HANDLERS)
def test_an_interrupt_from_outside_loses_no_event(handler: str) -> None:
    check(handler, 40, seed=1)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("handler", HANDLERS)
def test_hundreds_of_interrupts_from_outside_lose_no_event(handler: str, seed: int) -> None:
    check(handler, 500, seed)
