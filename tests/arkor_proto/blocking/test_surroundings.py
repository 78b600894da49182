"""The blocking client where threads are not what they usually are: at exit, and under gevent."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.arkor_proto.blocking.fixtures_blocking import PATIENCE, Backend, serving


def said_by(program: str, *arguments: str) -> object:
    """Return what a program of this folder prints, as JSON."""
    command = [sys.executable, "-m", f"tests.arkor_proto.blocking.{program}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("refused", [(), ("refused",)], ids=["threads", "no thread"])
def test_every_call_works_when_the_interpreter_exits(refused: tuple[str, ...]) -> None:
    with serving() as backend:
        said = said_by("at_exit", backend.base_url, *refused)
        assert [len(backend.asked(each)) for each in ("create", "stream", "cancel")] == [2, 1, 1]
    assert said == ["completed", [1, 2, 3], "job-2", "cancelled"]


GREENLETS = 100


@pytest.mark.skipif(find_spec("gevent") is None, reason="gevent has no wheel for this Python")
def test_a_hundred_greenlets_follow_their_jobs_at_once() -> None:
    events = [{"id": str(n), "json": {"type": "training.log", "step": n}} for n in range(1, 4)]
    end = {"id": "4", "json": {"type": "training.completed"}}
    jobs = [
        {"id": f"job-{n}", "events": [*events, end], "submitted": True} for n in range(GREENLETS)
    ]
    all_there = {"on": {"route": "stream"}, "stall": {"gate": "all"}}
    with serving(job=jobs, rule=[all_there]) as backend:
        backend.portal.start_task_soon(open_when_all_wait, backend)
        said = said_by("greenlets", backend.base_url, str(GREENLETS))
    expected = [["completed", 3] if number % 10 else ["aborted", 1] for number in range(GREENLETS)]
    assert said == expected


async def open_when_all_wait(backend: Backend) -> None:
    """Let the streams go on once each greenlet has one open."""
    await backend.mock.wait_for("stream", attempt=GREENLETS, within=PATIENCE)
    backend.mock.gates.open("all")
