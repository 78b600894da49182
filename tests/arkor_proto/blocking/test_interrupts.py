"""Ctrl-C pressed from outside, at random moments of a busy stream: no event is lost, nothing hangs."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO

import pytest

from tests.arkor_proto.blocking.fixtures_blocking import answering
from tests.arkor_proto.transports.peer import LAST_CHUNK, STREAM_HEAD, Visit, chunk
from tests.arkor_proto.wire_samples import COMPLETED, frame, log

BURST = 20
"""Events in one chunk of the stream."""
AT_MOST = 0.005
"""Seconds from a program's being ready to the press."""

HANDLERS = ["python", "own", "thread", "client"]


def pressing(handler: str, presses: int, seed: int) -> Mapping[str, int]:
    """Press so many times while a program follows a stream without end; return what it reports."""
    enough = threading.Event()

    async def backend(visit: Visit) -> None:
        asked = await visit.request()
        step = int(asked.header("Last-Event-ID") or 0)
        await visit.send(STREAM_HEAD)
        while not enough.is_set():
            steps = range(step + 1, step + 1 + BURST)
            await visit.send(chunk(b"".join(frame(log(each), id=str(each)) for each in steps)))
            step += BURST
        await visit.send(chunk(frame(COMPLETED, id=str(step + 1))) + LAST_CHUNK)
        await visit.until_left()

    with answering(backend) as peer:
        command = [sys.executable, "-m", "tests.arkor_proto.blocking.pressed", peer.base_url]
        with subprocess.Popen([*command, handler], stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            try:
                press(program.pid, program.stdout, presses, seed)
                enough.set()
                return json.loads([line for line in program.stdout if line.startswith("{")][-1])
            finally:
                program.kill()


def press(pid: int, lines: IO[str], presses: int, seed: int) -> None:
    """Press whenever the program is ready, unless it presses by itself."""
    chance = random.Random(seed)
    for line, _ in zip(lines, range(presses), strict=False):
        if line == "ready\n":
            time.sleep(chance.random() * AT_MOST)
            os.kill(pid, signal.SIGINT)


def check(report: Mapping[str, int], handler: str, presses: int) -> None:
    """Check that each press ended one wait, and that its event was heard again if need be."""
    assert report["lost"] == 0
    assert report["back"] <= report["interrupts"]
    assert report["heard"] > 0
    if handler == "thread":  # it goes on pressing until the stream is over
        assert report["interrupts"] >= presses
    else:
        assert report["interrupts"] == presses


@pytest.mark.parametrize("handler", HANDLERS)
def test_an_interrupt_from_outside_loses_no_event(handler: str) -> None:
    check(pressing(handler, 40, seed=1), handler, 40)


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("handler", HANDLERS)
def test_a_thousand_interrupts_from_outside_lose_no_event(handler: str, seed: int) -> None:
    check(pressing(handler, 1000, seed), handler, 1000)
