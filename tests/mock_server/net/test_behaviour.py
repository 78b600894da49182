"""How the backend treats jobs, followers, cursors, keys and tenants, over real sockets."""

import json
import re
import socket
from collections.abc import Mapping, Sequence

import anyio
import pytest

from mock_server import MockServer, ScriptedFrame, scenario_from_dict
from mock_server.strict.shapes import is_array, is_table
from tests.mock_server.rawclient import (
    CREATE_BODY,
    Answer,
    RawClient,
    create,
    event_ids,
    request_bytes,
)

pytestmark = pytest.mark.anyio

STREAM = "/v1/jobs/j/events/stream"
LOG = ScriptedFrame(json={"type": "training.log", "step": 1})
DONE = ScriptedFrame(json={"type": "training.completed"})
OPEN = b"\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
MINE = {"token": "mine", "org": "acme", "projects": ["site", "shop"]}
THEIRS = {"token": "theirs", "org": "globex", "projects": ["site"]}
HERE = "?orgSlug=acme&projectSlug=site"


def serve(job: Mapping[str, object] | None = None, **backend: object) -> MockServer:
    """Serve one quiet job `j`."""
    quiet: dict[str, object] = {"id": "j", "submitted": True, "events": [], **(job or {})}
    return MockServer(scenario_from_dict({"backend": backend, "job": [quiet, {}]}))


async def ask(
    mock: MockServer, method: str, target: str, body: bytes = b"", **headers: str
) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with RawClient(mock.port) as client:
        return await client.ask_to_end(method, target, {**named, "Connection": "close"}, body)


async def asked_by(mock: MockServer, token: str, method: str, target: str) -> int:
    body = CREATE_BODY if method == "POST" else b""
    answer = await ask(mock, method, target, body, Authorization=f"Bearer {token}")
    return answer.status


async def status(mock: MockServer, job: str = "j") -> object:
    found = (await ask(mock, "GET", f"/v1/jobs/{job}")).json["job"]
    assert is_table(found)
    return found["status"]


async def made(mock: MockServer, *requests: tuple[str, str]) -> Sequence[object]:
    """Create jobs one after the other, each with a key and a name; return their ids."""
    return [await created(mock, *request) for request in requests]


async def created(mock: MockServer, key: str, name: str) -> object:
    body = json.dumps({"name": name, "config": {"model": "m"}}).encode()
    answer = await ask(mock, "POST", "/v1/jobs", body, Idempotency_Key=key)
    job = answer.json.get("job", {"id": answer.status})
    assert is_table(job)
    return job["id"]


# Followers


async def test_a_job_goes_on_without_followers() -> None:
    async with serve({"events": 3, "interval_ms": 1}) as mock:
        await anyio.sleep(0.01)
        assert await status(mock) == "completed"


async def test_a_job_that_needs_a_follower_stands_still_without_one() -> None:
    async with serve(
        {"events": 3, "interval_ms": 1, "status": "running"}, follower="needed"
    ) as mock:
        await anyio.sleep(0.01)
        assert mock.push_to(mock.jobs["j"], LOG).id == "1"
        assert mock.push_to(mock.jobs["j"], LOG).id == "2"
        assert await status(mock) == "queued"
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            assert event_ids(await client.read_until(b"id: 5\n")) == ["1", "2", "3", "4", "5"]
        await mock.wait_for("stream", ended=True)
        mock.push("j", DONE)
        assert await status(mock) == "running"
        answer = await ask(mock, "GET", STREAM, Last_Event_ID="5")
        assert event_ids(answer.unchunked) == ["6"]


async def test_a_job_whose_owner_has_left_loses_its_log() -> None:
    async with serve(follower="owner") as mock:
        mock.push("j", LOG)
        async with RawClient(mock.port) as owner, RawClient(mock.port) as other:
            for client in (owner, other):
                await client.send(request_bytes("GET", STREAM))
                await client.read_until(b"id: 1\n")
            await owner.__aexit__(None, None, None)
            await other.read_until(LAST_CHUNK)
        mock.push("j", DONE)
        assert (await ask(mock, "GET", STREAM, Last_Event_ID="1")).status == 404
        job = await ask(mock, "GET", "/v1/jobs/j")
        assert job.json["events"] == []
        assert await status(mock) == "queued"


async def test_an_owner_may_leave_a_job_that_it_has_read_to_the_end() -> None:
    async with serve({"events": 2}, follower="owner") as mock:
        assert event_ids((await ask(mock, "GET", STREAM)).unchunked) == ["1", "2"]
        assert event_ids((await ask(mock, "GET", STREAM)).unchunked) == ["1", "2"]


async def test_split_followers_get_each_new_event_once_and_all_of_the_past() -> None:
    async with serve(fan_out="split") as mock:
        mock.push("j", LOG)
        async with RawClient(mock.port) as one, RawClient(mock.port) as two:
            for client in (one, two):
                await client.send(request_bytes("GET", STREAM))
                await client.read_until(b"id: 1\n")
            for _ in range(4):
                mock.push("j", LOG)
            mock.push("j", DONE)
            seen = [event_ids(await client.read_until(LAST_CHUNK)) for client in (one, two)]
    assert sorted(seen) == [["2", "4", "6"], ["3", "5", "6"]]


async def test_one_follower_alone_gets_everything_although_events_are_split() -> None:
    async with serve({"events": 3}, fan_out="split") as mock:
        assert event_ids((await ask(mock, "GET", STREAM)).unchunked) == ["1", "2", "3"]


# Cursors


@pytest.mark.parametrize(
    ("how", "expected"), [("replay", ["1", "2", "3"]), ("live", ["3"]), ("gone", 410)]
)
@pytest.mark.parametrize("cursor", ["never sent", "b-1"])
async def test_an_unknown_cursor_gets_what_the_scenario_says(
    how: str, expected: object, cursor: str
) -> None:
    async with (
        serve({"events": 2, "emitted": True, "status": "running"}, unknown_cursor=how) as mock,
        RawClient(mock.port) as client,
    ):
        await client.send(request_bytes("GET", STREAM, {"Last-Event-ID": cursor}))
        head = await client.read_until(OPEN)
        if how == "gone":
            assert head.startswith(b"HTTP/1.1 410 ")
            return
        mock.push("j", DONE)
        assert event_ids(await client.read_until(LAST_CHUNK)) == expected


@pytest.mark.parametrize(
    ("how", "first", "second"),
    [("replay", ["3", "4"], ["3", "4"]), ("live", [], []), ("gone", 410, 410)],
)
async def test_a_cursor_that_is_not_kept_is_unknown(
    how: str, first: object, second: object
) -> None:
    async with serve({"events": 4}, unknown_cursor=how) as mock:
        await ask(mock, "GET", STREAM)
        mock.jobs["j"].forget(2)
        mock.jobs["j"].forget(3)
        for cursor, expected in ((None, first), ("2", second)):
            headers = {} if cursor is None else {"Last_Event_ID": cursor}
            answer = await ask(mock, "GET", STREAM, b"", **headers)
            found = answer.status if how == "gone" else event_ids(answer.unchunked)
            assert found == expected
        assert event_ids((await ask(mock, "GET", STREAM, Last_Event_ID="3")).unchunked) == ["4"]


@pytest.mark.parametrize(
    ("how", "expected", "content"),
    [
        ("empty", 200, b""),
        ("end", 200, b'event: end\ndata: {"status":"completed"}\n\n'),
        ("gone", 410, b"job 'j' has ended, and no event follows this Last-Event-ID"),
        ("no_content", 204, b""),
    ],
)
async def test_a_resume_at_the_end_gets_what_the_scenario_says(
    how: str, expected: int, content: bytes
) -> None:
    async with serve({"events": 2}, at_end=how) as mock:
        await ask(mock, "GET", STREAM)
        answer = await ask(mock, "GET", STREAM, Last_Event_ID="2")
        assert answer.status == expected
        assert content in answer.unchunked or content in answer.body
        assert event_ids((await ask(mock, "GET", STREAM, Last_Event_ID="1")).unchunked) == ["2"]


# Creates and cancels


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("kept", ["job-1", "job-1", 422, "job-2"]),
        ("ignored", ["job-1", "job-2", "job-3", "job-4"]),
        ("racy", ["job-1", "job-1", 422, "job-2"]),
        ("any_body", ["job-1", "job-1", "job-2", "job-3"]),
        ("by_body", ["job-1", "job-1", 422, "job-1"]),
    ],
)
async def test_idempotency_keys_make_as_many_jobs_as_the_scenario_says(
    how: str, expected: list[object]
) -> None:
    async with MockServer(scenario_from_dict({"backend": {"idempotency": how}})) as mock:
        found = await made(mock, ("k", "a"), ("k", "a"), ("k", "b"), ("l", "a"))
    assert found == expected


@pytest.mark.parametrize(("how", "count"), [("kept", 1), ("racy", 2)])
async def test_only_a_racy_backend_makes_two_jobs_of_overlapping_creates(
    how: str, count: int
) -> None:
    found = set[object]()
    async with MockServer(scenario_from_dict({"backend": {"idempotency": how}})) as mock:

        async def one() -> None:
            found.add(await created(mock, "k", "a"))

        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
    assert len(found) == count


async def test_creates_without_a_key_make_two_jobs_also_by_body() -> None:
    async with MockServer(scenario_from_dict({"backend": {"idempotency": "by_body"}})) as mock:
        assert await create(mock.port) != await create(mock.port)


@pytest.mark.parametrize(
    ("how", "running", "ended"),
    [
        ("honoured", (200, "cancelled"), (409, "completed")),
        ("ignored", (200, "queued"), (409, "completed")),
        ("overrides", (200, "cancelled"), (200, "cancelled")),
    ],
)
async def test_a_cancel_does_what_the_scenario_says(
    how: str, running: object, ended: object
) -> None:
    async with serve(cancel=how) as mock:
        answer = await ask(mock, "POST", "/v1/jobs/j/cancel")
        assert (answer.status, await status(mock)) == running
        other = mock.job(id="k", events=1, emitted=True).id
        answer = await ask(mock, "POST", f"/v1/jobs/{other}/cancel")
        assert (answer.status, await status(mock, other)) == ended


# Restarts


@pytest.mark.parametrize(
    ("how", "kept", "after"),
    [
        ("kept", ["1", "2", "3", "4"], "5"),
        ("ids_again", ["1", "2", "3", "4"], "1"),
        ("lost", ["1", "2"], "5"),
    ],
)
async def test_a_restart_leaves_what_the_scenario_says(
    how: str, kept: list[str], after: str
) -> None:
    async with serve(restart=how) as mock, RawClient(mock.port) as client:
        for _ in range(4):
            mock.push("j", LOG)
        await client.send(request_bytes("GET", STREAM))
        await client.read_until(b"id: 4\n")
        await mock.restart()
        assert (await client.read_to_end())[1] == "ECONNRESET"
        assert mock.push_to(mock.jobs["j"], DONE).id == after
        await mock.restart()
        answer = await ask(mock, "GET", STREAM)
        assert event_ids(answer.unchunked) == [*kept, after]


@pytest.mark.parametrize("how", ["restart", "load"])
async def test_a_connection_that_is_not_accepted_yet_is_reset_too(how: str) -> None:
    async with serve() as mock:
        # The event loop does not run between the connect and the reset.
        with socket.create_connection(("127.0.0.1", mock.port), 5) as client:
            if how == "restart":
                await mock.restart()
            else:
                mock.load(mock.scenario)
            with pytest.raises(ConnectionResetError):
                await anyio.to_thread.run_sync(client.recv, 1)


# Tenants


@pytest.mark.parametrize(
    ("token", "target", "expected"),
    [
        ("mine", HERE, 200),
        ("theirs", HERE, 403),
        ("theirs", "?orgSlug=globex&projectSlug=site", 404),
        ("mine", "?orgSlug=globex&projectSlug=site", 403),
        ("mine", "?orgSlug=acme&projectSlug=shop", 404),
        ("mine", "?orgSlug=acme&projectSlug=none", 404),
        ("mine", "?orgSlug=acme", 400),
        ("mine", "?projectSlug=site", 400),
        ("mine", "", 400),
        ("other", HERE, 401),
    ],
)
async def test_a_job_is_for_its_tenant_only(token: str, target: str, expected: int) -> None:
    async with serve({"events": 1}, tenants=[MINE, THEIRS]) as mock:
        for method, path in (("GET", ""), ("GET", "/events/stream"), ("POST", "/cancel")):
            found = await asked_by(mock, token, method, f"/v1/jobs/j{path}{target}")
            assert found in {expected, 409 if path == "/cancel" else expected}, path
        assert mock.jobs["j"].status.value == ("completed" if expected == 200 else "queued")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (HERE, 200),
        ("?orgSlug=acme&projectSlug=none", 404),
        ("?orgSlug=globex&projectSlug=site", 403),
        ("", 400),
    ],
)
async def test_a_job_is_created_in_a_project_of_the_tenant_only(target: str, expected: int) -> None:
    async with serve(tenants=[MINE, THEIRS]) as mock:
        assert await asked_by(mock, "mine", "POST", f"/v1/jobs{target}") == expected
        assert len(mock.jobs) == (2 if expected == 200 else 1)


async def test_a_tenant_knows_its_organisation_and_its_projects() -> None:
    async with serve(tenants=[MINE, THEIRS]) as mock:
        me = await ask(mock, "GET", "/v1/me", Authorization="Bearer mine")
        assert me.json["orgs"] == [{"slug": "acme", "id": "org-acme", "name": "acme"}]
        path = "/v1/projects?orgSlug=acme"
        assert await asked_by(mock, "theirs", "GET", path) == 403
        body = b'{"name": "new"}'
        answer = await ask(mock, "POST", path, body, Authorization="Bearer mine")
        assert answer.status == 201
        listed = (await ask(mock, "GET", path, Authorization="Bearer mine")).json["projects"]
        assert is_array(listed)
        slugs = [project["slug"] for project in listed if is_table(project)]
        assert slugs == ["site", "shop", "new"]
        there = "/v1/jobs?orgSlug=acme&projectSlug=new"
        assert await asked_by(mock, "mine", "POST", there) == 200
        assert (await ask(mock, "POST", "/v1/auth/anonymous", b'{"kind": "x"}')).status == 403


async def test_a_model_of_another_tenant_does_not_exist() -> None:
    async with serve(tenants=[MINE, THEIRS]) as mock:
        body = b'{"messages": [], "adapter": {"jobId": "j"}}'
        for token, expected in (("mine", 200), ("theirs", 404)):
            answer = await ask(
                mock, "POST", "/v1/inference/chat", body, Authorization=f"Bearer {token}"
            )
            assert answer.status == expected


async def test_a_key_of_another_project_is_another_key() -> None:
    async with serve(tenants=[MINE, THEIRS]) as mock:
        found = set[str]()
        for token, org in (("mine", "acme"), ("theirs", "globex")):
            answer = await ask(
                mock,
                "POST",
                f"/v1/jobs?orgSlug={org}&projectSlug=site",
                CREATE_BODY,
                Authorization=f"Bearer {token}",
                Idempotency_Key="k",
            )
            found.add(str(answer.json["job"]))
    assert len(found) == 2


@pytest.mark.parametrize(
    ("words", "token", "cursor", "expected"),
    [
        ({}, "theirs", False, 403),
        ({"tenancy": "ignored"}, "theirs", False, 200),
        ({"tenancy": "ignored"}, "other", False, 401),
        ({"tenancy": "first_open"}, "theirs", False, 403),
        ({"tenancy": "first_open"}, "theirs", True, 200),
        ({"tenancy": "first_open"}, "other", True, 200),
        ({"authenticate": False}, "other", False, 200),
        ({"authenticate": False}, "theirs", False, 403),
    ],
)
async def test_a_lax_backend_lets_other_tokens_in(
    words: dict[str, object], token: str, cursor: object, expected: int
) -> None:
    async with serve({"events": 2, "emitted": True}, tenants=[MINE, THEIRS], **words) as mock:
        headers = {"Authorization": f"Bearer {token}"}
        headers |= {"Last_Event_ID": "1"} if cursor else {}
        answer = await ask(mock, "GET", STREAM + HERE, b"", **headers)
        assert answer.status == expected


@pytest.mark.parametrize("tenancy", ["checked", "ignored", "first_open"])
async def test_a_revoked_token_ends_its_streams_unless_only_the_open_is_checked(
    tenancy: str,
) -> None:
    headers = {"Authorization": "Bearer mine"}
    async with (
        serve(tenants=[MINE, THEIRS], tenancy=tenancy) as mock,
        RawClient(mock.port) as client,
    ):
        await client.send(request_bytes("GET", STREAM + HERE, headers))
        await client.read_until(OPEN)
        await mock.revoke("theirs")
        await mock.revoke("mine")
        mock.push("j", DONE)
        rest, ending = await client.read_to_end() if tenancy == "checked" else (b"", "open")
        if tenancy != "checked":
            rest = await client.read_until(LAST_CHUNK)
        assert (ending, event_ids(rest)) == (
            ("FIN", []) if tenancy == "checked" else ("open", ["1"])
        )
        assert await asked_by(mock, "mine", "GET", f"/v1/jobs/j{HERE}") == 401


# Scenarios


@pytest.mark.parametrize(
    ("backend", "says"),
    [
        ({"token": "t", "tenants": [MINE]}, "backend: token and tenants cannot be combined"),
        ({"tenancy": "ignored"}, "backend.tenancy: does nothing without tenants; add tenants"),
        ({"tenants": [MINE, MINE]}, "backend.tenants: two tenants have the same token"),
        ({"tenants": [{**MINE, "token": ""}]}, "backend.tenants: a tenant has an empty token"),
        ({"tenants": [{**MINE, "org": ""}]}, "backend.tenants: a tenant has an empty org or"),
        ({"tenants": [{**MINE, "projects": []}]}, "backend.tenants 1.projects: "),
        ({"tenants": [{"token": "t"}]}, "backend.tenants 1: 'org' is missing"),
        ({"tenants": [{**MINE, "project": "p"}]}, "did you mean 'projects'?"),
        ({"cancel": "ignore"}, "backend.cancel: 'ignore' is unknown; did you mean 'ignored'?"),
    ],
)
def test_words_that_make_no_sense_are_refused(backend: object, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        scenario_from_dict({"backend": backend})


def test_the_token_of_a_tenant_is_not_in_its_repr() -> None:
    scenario = scenario_from_dict({"backend": {"tenants": [{**MINE, "token": "s3cret"}]}})
    assert "s3cret" not in repr(scenario)
    assert "s3cret" not in repr(scenario.backend.tenants)
