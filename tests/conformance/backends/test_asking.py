"""What the kit asks before it creates jobs at a backend that is not on this machine, and how fast."""

import os
import select
import signal
import sys
from typing import NoReturn

import anyio
import anyio.lowlevel
import pytest

from conformance.backends.supply import Once, Supply
from conformance.backends.target import Address, Target
from tests.forked import ROOT

if sys.platform != "win32":
    import pty

ELSEWHERE = Target(address=Address.of("http://backend.invalid"))
HERE = Target(address=Address.of("http://127.0.0.1:9"))
SECONDS = 60.0


async def nothing() -> NoReturn:
    """Stand for what makes the shared jobs, which pacing does not need."""
    raise NotImplementedError


def supply_at(target: Target) -> Supply:
    """Return what the cases of a run at this target share."""
    return Supply(target, Once(nothing), Once(nothing), Once(nothing))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record how long is slept, without sleeping."""
    found: list[float] = []

    async def sleep(delay: float) -> None:
        found.append(delay)
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr("conformance.backends.supply.anyio.sleep", sleep)
    return found


@pytest.mark.anyio
async def test_streams_elsewhere_are_opened_five_a_second(slept: list[float]) -> None:
    supply = supply_at(ELSEWHERE)
    for _ in range(11):
        await supply.pace()
    assert len(slept) == 11
    assert 1.8 < slept[-1] <= 2.0


@pytest.mark.anyio
async def test_streams_here_are_opened_at_once(slept: list[float]) -> None:
    supply = supply_at(HERE)
    for _ in range(11):
        await supply.pace()
    assert slept == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
@pytest.mark.parametrize(
    ("typed", "status", "said"),
    [
        (b"\x03", 128 + signal.SIGINT, b"interrupted by SIGINT"),
        (b"n\n", 3, b"no verdict: you answered no"),
        (b"y\n", 3, b"no verdict: "),
    ],
    ids=["Ctrl-C", "no", "yes"],
)
def test_the_question_can_be_answered(typed: bytes, status: int, said: bytes) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(ARKOR_TOKEN="tok-of-the-terminal", PYTHONPATH=str(ROOT))
        words = ("backend", "--base-url", "http://backend.invalid", "--patience", "0.1")
        os.execv(sys.executable, [sys.executable, "-P", "-m", "conformance", *words])  # noqa: S606 - no shell
    shown = b""
    while select.select([terminal], [], [], SECONDS)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other side has closed
            break
        if not piece:
            break
        shown += piece
        if b"Go on?" in shown and typed:
            os.write(terminal, typed)
            typed = b""
    os.close(terminal)
    _, ended = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(ended) == status, shown
    assert said in shown
    assert b"tok-of-the-terminal" not in shown
