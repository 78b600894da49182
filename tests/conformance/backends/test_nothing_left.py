"""A run leaves nothing running: no job, no process, also when it is interrupted."""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.backends.cases import backend_cases
from tests.conformance.backends.commands import interrupted, judge
from tests.conformance.backends.small_backend import (
    TOKEN,
    Handler,
    Job,
    Request,
    SmallBackend,
    serving,
)
from tests.conformance.processes import alive

pytestmark = pytest.mark.timeout(120)
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


def has_a_job(backend: SmallBackend) -> Callable[[], bool]:
    return lambda: bool(backend.running)


@pytest.mark.parametrize("number", STATUS)
def test_every_job_is_cancelled_when_the_run_is_interrupted(number: signal.Signals) -> None:
    with serving(pace=1000) as backend:
        done = interrupted(number, has_a_job(backend), "--base-url", backend.url)
        assert done.status == STATUS[number]
        assert backend.jobs
        assert backend.running == []


def test_a_job_is_cancelled_whose_create_was_interrupted() -> None:
    def slow(backend: SmallBackend, request: Request, handler: Handler) -> bool:
        if request.route != "create" or "Idempotency-Key" in request.headers:
            return False
        backend.jobs["late"] = Job("late")
        for _ in range(50):  # half a second in which the kit is told to end
            handler.connection.settimeout(0.01)
            try:
                handler.connection.recv(1)
            except TimeoutError:
                continue
        handler.connection.settimeout(None)
        handler.answer(201, {"job": {"id": "late", "status": "queued"}})
        return True

    with serving(pace=1000, err=slow) as backend:
        words = ("--base-url", backend.url, "--case", "cancel.accepted")
        done = interrupted(signal.SIGINT, has_a_job(backend), *words)
        assert done.status == 130
        assert backend.running == []


def test_what_cannot_be_cancelled_is_named_with_a_command_without_the_token() -> None:
    def refuses(_: SmallBackend, request: Request, handler: Handler) -> bool:
        if request.route == "cancel":
            handler.answer(403, {"error": "not you"})
        return request.route == "cancel"

    with serving(pace=1000, err=refuses) as backend:
        done = interrupted(signal.SIGINT, has_a_job(backend), "--base-url", backend.url)
        assert done.status == 130
        command = next(line for line in (done.out + done.err).splitlines() if "curl" in line)
        assert "$ARKOR_TOKEN" in command
        assert all(f"/v1/jobs/{job}/cancel" in done.out + done.err for job in backend.running)


def test_a_whole_run_makes_four_jobs_and_leaves_none() -> None:
    with serving() as backend:
        done = judge(backend)
        assert done.status == 0, done.out
        assert len(backend.jobs) <= 4
        assert backend.running == []
        assert {request.headers.get("Authorization") for request in backend.requests} == {
            f"Bearer {TOKEN}",
            "Bearer arkor-conformance-no-such-token",
            None,
        }


@pytest.mark.parametrize("most", [0, 1, 2])
def test_no_more_jobs_are_made_than_the_user_allows(most: int) -> None:
    with serving() as backend:
        done = judge(backend, "--max-jobs", str(most))
        assert done.status in {0, 2, 4}
        assert len(backend.jobs) <= most


def test_following_changes_nothing() -> None:
    with serving(pace=0.05) as backend:
        backend.jobs["job 1/ä"] = Job("job 1/ä")
        done = judge(backend, "--follow", "job 1/ä", "--watch", "2")
        assert done.status == 0, done.out
        assert backend.changes == []
        assert len(backend.requests) > len(backend_cases()) / 2


def test_following_a_job_that_goes_on_leaves_it_going_on() -> None:
    with serving(pace=1000) as backend:
        backend.jobs["j"] = Job("j")
        done = judge(backend, "--follow", "j", "--watch", "1", "--profile", "2026-05")
        assert done.status == 0, done.out
        assert backend.changes == []
        assert backend.running == ["j"]


CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
print(child.pid, file=open(sys.argv[1], "w"), flush=True)
sys.argv[1:] = []
from mock_server.__main__ import main
sys.argv = ["arkor-mock", "control"]
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks for a process in /proc")
@pytest.mark.parametrize("number", [None, *STATUS])
def test_the_control_program_and_its_children_are_ended(
    number: signal.Signals | None, tmp_path: Path
) -> None:
    told = tmp_path / "pid"
    words = ("--control", "--case", "cancel.accepted", "--", sys.executable, "-c", CHILD, str(told))

    def when() -> bool:
        return number is not None and told.is_file() and bool(told.read_text().strip())

    if number is None:
        done = judge("", *words)
        assert done.status == 0, done.err
    else:
        done = interrupted(number, when, *words)
        assert done.status == STATUS[number]
    assert not alive(int(told.read_text()))
