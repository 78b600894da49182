"""Whole runs with backends of their own kind: what is free to them is never a failure."""

import json
from pathlib import Path

import pytest

from tests.conformance.backends.commands import judge
from tests.conformance.backends.small_backend import (
    Err,
    Handler,
    Job,
    Request,
    SmallBackend,
    serving,
)
from tests.conformance.commandline import kit
from tests.conformance.processes import hogs

pytestmark = pytest.mark.timeout(120)


def letters(number: int) -> str:
    """Return an opaque id beyond ASCII, in no order."""
    return f"käfer 𝄞 {(number * 37) % 101}"


def counted(times: int, *, route: str, status: int, wait: str) -> Err:
    """Return a way to refuse the first requests of a route for load."""
    left = times

    def err(_: SmallBackend, request: Request, handler: Handler) -> bool:
        nonlocal left
        refused = left > 0 and request.route == route and request.method == "GET"
        if refused:
            left -= 1
            handler.answer(status, {"error": "slow down"}, {"Retry-After": wait} if wait else {})
        return refused

    return err


def sound(backend: SmallBackend, *options: str) -> str:
    """Check that a backend is not blamed; return what the kit says of it."""
    done = judge(backend, *options)
    assert done.status == 0, done.out + done.err
    assert "FAIL " not in done.out
    assert len(backend.jobs) <= 4
    assert backend.running == []
    return done.out


def test_streams_that_end_before_their_job_are_resumed() -> None:
    with serving(pace=0.3, length=6, lifetime=0.8) as backend:
        said = sound(backend)
    assert "ARK-SRV-44" not in said


def test_a_job_may_be_known_a_little_later() -> None:
    with serving(pace=0.2, length=6) as backend:
        backend.known_after = 0.6
        sound(backend)


def test_ids_may_be_any_text() -> None:
    with serving(pace=0.02) as backend:
        backend.ids = letters
        said = sound(backend)
    assert "ARK-SRV-27" not in said


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("route", ["job", "stream"])
def test_a_refusal_for_load_is_obeyed(route: str, status: int) -> None:
    with serving(err=counted(2, route=route, status=status, wait="0")) as backend:
        sound(backend)


def test_a_refusal_that_does_not_say_when_is_told_and_no_other_rule_broken() -> None:
    with serving(err=counted(1, route="stream", status=503, wait="")) as backend:
        done = judge(backend, "--profile", "hardened")
    assert "ARK-SRV-54" in done.out
    assert "ARK-SRV-17 " not in done.out
    assert "FAIL " not in done.out


def test_a_job_that_is_over_before_its_cancel_is_not_a_refused_cancel() -> None:
    def late(backend: SmallBackend, request: Request, _: Handler) -> bool:
        if request.route == "cancel":
            backend.jobs[request.job].began -= 1000
        return False

    with serving(pace=10, length=4, err=late) as backend:
        done = judge(backend, "--case", "cancel.accepted")
    assert done.status == 4, done.out
    assert "before it could be cancelled" in done.out


def test_a_whole_log_of_a_job_without_an_end_is_a_broken_rule() -> None:
    def loses(backend: SmallBackend, request: Request, handler: Handler) -> bool:
        if request.route != "stream":
            return False
        handler.whole(200, "text/event-stream", backend.event(1))
        return True

    with serving(pace=0.01, err=loses) as backend:
        done = judge(backend, "--case", "end.one-terminal-event", "--profile", "2026-05")
    assert done.status == 1, done.out
    assert "ARK-SRV-44" in done.out


def test_a_follower_is_told_from_another_by_its_job_alone() -> None:
    with serving(pace=0.05) as backend:
        backend.jobs["a"] = Job("a")
        backend.jobs["b"] = Job("b")
        judge(backend, "--follow", "a", "--watch", "1")
        asked = {request.job for request in backend.requests if request.method == "GET"}
    assert "b" not in asked


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_verdicts_under_load_are_the_same(tmp_path: Path) -> None:
    found: list[dict[str, str]] = []
    with hogs(8):
        for number in range(2):
            report = tmp_path / f"{number}.json"
            kit("backend", "--report", str(report))
            results = json.loads(report.read_text("utf-8"))["results"]
            found.append({f"{r['case']}@{r['profile']}": r["verdict"] for r in results})
    assert found[0] == found[1]
    assert {*found[0].values()} == {"pass", "n/a"}
