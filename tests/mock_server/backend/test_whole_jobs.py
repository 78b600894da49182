"""Every job that the mock returns is complete, as in section 5.12 of the specification."""

import json
import re
from collections.abc import Mapping

import pytest

from mock_server import MockServer, ScriptedFrame, scenario_from_dict
from mock_server.admin.requests import PREFIX
from mock_server.admin.server import AdminServer
from mock_server.scenario.vocabulary import FRAME
from mock_server.strict.shapes import is_table
from tests.mock_server.rawclient import CREATE_BODY, RawClient, follow, request_bytes

pytestmark = pytest.mark.anyio

NEEDED = ("id", "orgId", "projectId", "name", "status", "createdAt")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ENDED = {"completed", "failed", "cancelled"}


def problems(job: object) -> list[str]:
    """Check a job as a strict client does."""
    if not is_table(job):
        return [f"a job is an object, not {job!r}"]
    found = [f"{key} is {job.get(key)!r}" for key in NEEDED if not _text(job.get(key))]
    config = job.get("config")
    found += [] if is_table(config) and _text(config.get("model")) else [f"config is {config!r}"]
    status = job.get("status")
    due = {"createdAt": True, "completedAt": status in ENDED}
    due |= {"startedAt": status not in {"queued", "cancelled"}}
    for key, wanted in due.items():
        given = job.get(key)
        if (wanted or given is not None) and not INSTANT.fullmatch(str(given)):
            found.append(f"{key} of a {status} job is {given!r}")
    if (status == "failed") != isinstance(job.get("error"), str):
        found.append(f"error of a {status} job is {job.get('error')!r}")
    order = [str(job[key]) for key in ("createdAt", "startedAt", "completedAt") if key in job]
    return found + ([] if order == sorted(order) else [f"times are {order}"])


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def lint(answer: Mapping[str, object]) -> str:
    """Check the job of an answer; return its status."""
    job = answer["job"]
    assert problems(job) == []
    assert is_table(job)
    return str(job["status"])


FATES = {"completed": {"events": 4}, "failed": {"events": 3, "status": "failed"}}


@pytest.mark.parametrize("target", ["/v1/jobs", "/v1/jobs?orgSlug=o&projectSlug=p"])
@pytest.mark.parametrize("fate", FATES)
async def test_a_created_job_is_whole_from_its_create_to_its_end(fate: str, target: str) -> None:
    scenario = scenario_from_dict({"job": [FATES[fate]]})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        key = {"Idempotency-Key": "k"}
        for _ in range(2):
            assert lint((await client.ask("POST", target, key, CREATE_BODY)).json) == "queued"
        assert lint((await client.ask("GET", "/v1/jobs/job-1")).json) == "queued"
        await follow(mock.port, "job-1")
        assert lint((await client.ask("GET", "/v1/jobs/job-1")).json) == fate


async def test_a_cancelled_job_is_whole_whether_it_had_started_or_not() -> None:
    plan = {"events": 2, "status": "running"}
    plans = [{**plan, "id": "a", "submitted": True}, {**plan, "id": "b", "submitted": True}]
    async with MockServer(scenario_from_dict({"job": plans})) as mock:
        mock.push("a", ScriptedFrame(json={"type": "training.started", "jobId": "a"}))
        async with RawClient(mock.port) as client:
            for job, before in (("a", "running"), ("b", "queued")):
                assert lint((await client.ask("GET", f"/v1/jobs/{job}")).json) == before
                answer = await client.ask("POST", f"/v1/jobs/{job}/cancel")
                assert lint(answer.json) == "cancelled"
                assert lint((await client.ask("GET", f"/v1/jobs/{job}")).json) == "cancelled"


@pytest.mark.parametrize(
    ("event", "status"),
    [
        ({"json": {"type": "training.completed"}}, "completed"),
        ({"json": {"type": "training.failed"}}, "failed"),
        ({"json": {"type": "training.failed", "error": ""}}, "failed"),
        ({"json": {"type": "training.failed", "error": None}}, "failed"),
        ({"event": "end", "data": "{}"}, "cancelled"),
    ],
)
@pytest.mark.parametrize("how", ["by hand", "emitted", "pushed", "made"])
async def test_a_job_that_ends_without_a_start_is_whole(
    how: str, event: dict[str, object], status: str
) -> None:
    plan: dict[str, object] = {"id": "j", "submitted": True, "events": [event]}
    if how == "emitted":
        plan["emitted"] = True
    elif how == "pushed":
        plan["events"] = []
    async with MockServer(scenario_from_dict({} if how == "made" else {"job": [plan]})) as mock:
        if how == "made":
            mock.job(id="j", events=[event])
        elif how == "pushed":
            mock.push("j", FRAME.read(event, "event"))
        await follow(mock.port, "j")
        async with RawClient(mock.port) as client:
            assert lint((await client.ask("GET", "/v1/jobs/j")).json) == status


async def test_the_admin_shows_whole_jobs() -> None:
    async with AdminServer("t") as admin:
        server = await admin.start(scenario_from_dict({}))
        below = f"{PREFIX}/servers/1/jobs"
        headers = {"Host": f"127.0.0.1:{admin.port}"}
        async with RawClient(admin.port) as client:
            for body in (b"", json.dumps({"id": "k", "status": "failed"}).encode()):
                raw = request_bytes("POST", below, headers, body).replace(b"Host: mock\r\n", b"")
                await client.send(raw)
                assert lint((await client.answer()).json) == "queued"
            await follow(server.port, "k")
            raw = request_bytes("GET", f"{below}/k", headers).replace(b"Host: mock\r\n", b"")
            await client.send(raw)
            assert lint((await client.answer()).json) == "failed"
