"""Both backends keep what a client relies on, seen from a socket."""

import itertools
import json
import random
import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import pytest

from tests.backends.program import PATIENCE, Program, texts
from tests.backends.wire import TERMINAL, Answer, Client, read_head

BAD_BODIES: Final = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'"name config"',
    b'{"name": "n"}',
    b'{"config": {}}',
    b'{"name": "", "config": {}}',
    b'{"name": 1, "config": {}}',
    b'{"name": "n", "config": []}',
    b'{"name": "n", "config": null}',
    b'{"name": "n", "config": {"x": NaN}}',
    b'{"name": "n", "config": {"x": "\\ud800"}}',
    b'{"name": "n", "config": {"\\ud800": 1}}',
    b'{"name": "\\udfff", "config": {}}',
    b'{"name": "\xff", "config": {}}',
    b'{"name": "n", "config": {"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}}",
    b'{"name": "n", "config": {"x": "' + b"x" * 2**20 + b'"}}',
]


def routes(job: str) -> Iterator[tuple[str, str]]:
    """Yield method and path of all that can be asked for, cancel at the end."""
    yield "POST", "/v1/jobs"
    yield "GET", f"/v1/jobs/{job}"
    yield "HEAD", f"/v1/jobs/{job}"
    yield "GET", f"/v1/jobs/{job}/events/stream"
    yield "HEAD", f"/v1/jobs/{job}/events/stream"
    yield "POST", f"/v1/jobs/{job}/cancel"


def until_over(client: Client, job: str) -> str:
    """Return the status that a job ends with."""
    end = time.monotonic() + PATIENCE
    while "completedAt" not in (shown := client.show(job)):
        assert time.monotonic() < end
        time.sleep(0.05)
    return str(shown["status"])


def test_a_job_ends_though_no_client_follows_it(client: Client) -> None:
    created = client.create(maxSteps=2)
    assert (created.status, created.job()["status"]) == (201, "queued")
    job = str(created.job()["id"])
    assert until_over(client, job) == "completed"
    with client.follow(job) as follower:
        follower.read_all()
    kinds = ["training.started", "training.log", "training.log", "training.completed"]
    assert follower.types() == kinds


def test_a_job_that_works_goes_on_after_a_restart(program: Program, client: Client) -> None:
    job = str(client.create(maxSteps=5).job()["id"])
    with client.follow(job) as follower:
        follower.ids(2)
        program.do("rotate")
        client.base_url = program["base_url"]
        ids = follower.read_all()
    ids += client.rest(job, ids[-1])
    assert (len(ids), len(set(ids))) == (7, 7)
    assert client.rest(job) == ids


def test_the_head_and_a_comment_come_before_any_event(program: Program, client: Client) -> None:
    with client.follow(program.job()) as follower:
        assert follower.read().startswith(b": open")
        fields = follower.response.headers
    assert fields["Content-Type"].startswith("text/event-stream")
    assert fields["Cache-Control"].startswith("no-store")
    assert fields["X-Accel-Buffering"] == "no"
    assert fields["Content-Encoding"] is None


def test_each_event_comes_without_the_next_one(program: Program, client: Client) -> None:
    job = program.job()
    with client.follow(job) as follower:
        for count in range(1, 11):
            (ident,) = program.emit(job, 1)
            assert follower.ids(count)[-1] == ident


def test_a_resume_goes_on_after_each_id(program: Program, client: Client) -> None:
    job = program.job()
    ids = [*program.emit(job, 8), str(program.do("finish", job=job)["id"])]
    assert client.rest(job) == ids
    for number, cursor in enumerate(ids[:-1], 1):
        assert client.rest(job, cursor) == ids[number:]


def test_a_resume_at_the_end_of_a_job_gets_an_end(program: Program, client: Client) -> None:
    job = program.job()
    program.emit(job, 1)
    last = str(program.do("finish", job=job)["id"])
    with client.follow(job, last) as follower:
        follower.read_all()
    assert [(event.type, event.last_event_id) for event in follower.events] == [("end", "")]


def test_nothing_gets_lost_or_repeated_while_events_arrive(
    program: Program, client: Client
) -> None:
    job, seed = program.job(), random.getrandbits(32)
    sample = random.Random(seed)  # noqa: S311 - the moments of the resumes
    ids, seen = list[str](), list[str]()
    emitted = program.ask("emit", job=job, n=100)
    for _ in range(100):
        with client.follow(job, seen[-1] if seen else "") as follower:
            seen += follower.ids(sample.randrange(1, 20))
        if emitted.done():
            ids += texts(emitted.result()["ids"])
            emitted = program.ask("emit", job=job, n=100)
    ids += texts(emitted.result(PATIENCE)["ids"])
    program.do("finish", job=job)
    seen += client.rest(job, seen[-1])
    assert seen[:-1] == ids, f"seed {seed}"


def test_the_last_event_is_not_lost_at_the_hand_off(program: Program, client: Client) -> None:
    for _ in range(20):
        job = program.job()
        ids = program.emit(job, 3)
        finished = program.ask("finish", job=job)
        with client.follow(job, ids[0]) as follower:
            assert follower.read_all() == [*ids[1:], finished.result(PATIENCE)["id"]]


@pytest.mark.parametrize("wrong", ["x", "-1", "0", "01", "1_0", "1 ", "٣", "99999", "9" * 30])
def test_an_unknown_cursor_is_refused(program: Program, client: Client, wrong: str) -> None:
    job, other = program.job(), program.job()
    (ident,) = program.emit(job, 1)
    (foreign,) = program.emit(other, 1)
    same = ident.removesuffix("1") + wrong
    sent = [cursor.encode().decode("latin-1") for cursor in (wrong, same, foreign)]
    if wrong == "1 ":
        sent = [foreign]  # HTTP takes the space off
    assert {client.refusal(job, cursor) for cursor in sent} == {410}


def test_a_stream_ends_with_its_last_chunk_and_the_connection_stays(
    program: Program, client: Client
) -> None:
    job = program.job()
    program.emit(job, 1)
    program.do("finish", job=job)
    with client.connect() as plug:
        for _ in range(2):
            plug.sendall(client.head("GET", f"/v1/jobs/{job}/events/stream"))
            assert Answer.of(read_head(plug, "GET")).status == 200


def test_cancel_ends_the_job_for_all_followers(program: Program, client: Client) -> None:
    job = program.job()
    ids = program.emit(job, 2)
    with client.follow(job) as one, client.follow(job, ids[0]) as two:
        one.ids(2)
        assert client.cancel(job).job()["status"] == "cancelled"
        assert (one.read_all(), two.read_all()) == ([*ids, ""], [ids[1], ""])
        assert (one.types()[-1], two.types()[-1]) == ("end", "end")
    again = client.cancel(job)
    assert (again.status, set(again.json())) == (409, {"error"})
    assert client.show(job)["status"] == "cancelled"
    with client.follow(job, ids[-1]) as late:
        late.read_all()
    assert late.types() == ["end"]


def test_a_cancel_that_comes_late_changes_nothing(program: Program, client: Client) -> None:
    job = program.job()
    program.emit(job, 1)
    program.do("finish", job=job)
    before = client.show(job)
    assert client.cancel(job).status == 409
    assert client.show(job) == before


def test_of_a_cancel_and_a_completion_one_wins(program: Program, client: Client) -> None:
    for _ in range(20):
        job = program.job()
        program.emit(job, 1)
        with client.follow(job) as one, client.follow(job) as two:
            finish = program.ask("finish", job=job)
            cancelled = client.cancel(job).status == 200
            one.read_all()
            two.read_all()
        wanted = ("end", "cancelled") if cancelled else ("training.completed", "completed")
        assert (finish.exception(PATIENCE) is not None) == cancelled
        assert (one.types()[-1], client.show(job)["status"]) == wanted
        assert one.types() == two.types()
        assert len(TERMINAL & set(one.types())) == 1


@pytest.mark.parametrize("token", ["", "unknown"])
def test_without_a_known_token_nothing_is_shown(
    program: Program, client: Client, token: str
) -> None:
    job = program.job()
    (ident,) = program.emit(job, 1)
    headers = {"Authorization": f"Bearer {token}" if token else "", "Last-Event-ID": ident}
    answers = [client.ask(method, path, headers) for method, path in routes(job)]
    assert [answer.status for answer in answers] == [401] * len(answers)
    assert all("www-authenticate" in answer.headers for answer in answers)
    assert client.show(job)["status"] == "running"


@pytest.mark.parametrize("wrong", ["token", "org", "project"])
def test_a_job_is_shown_to_its_tenant_alone(program: Program, client: Client, wrong: str) -> None:
    job = program.job()
    program.emit(job, 1)
    others = {"token": program["other_token"], "org": "other", "project": "unknown"}
    setattr(client, wrong, others[wrong])
    assert {client.ask(*route).status for route in routes(job)} <= {403, 404}
    client.token, client.org, client.project = program["other_token"], "other", "demo"
    assert {client.ask(*route).status for route in itertools.islice(routes(job), 1, None)} == {404}
    assert Client.of(program).show(job)["status"] == "running"


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_a_bad_create_is_refused(client: Client, body: bytes) -> None:
    refused = client.ask("POST", "/v1/jobs", {}, body)
    assert (refused.status, set(refused.json())) == (413 if len(body) > 2**20 else 400, {"error"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/elsewhere", 404),
        ("GET", "/v1/jobs/unknown", 404),
        ("GET", "/v1/jobs/%ff", 404),
        ("GET", "/v1/jobs", 405),
        ("POST", "/v1/jobs/JOB/events/stream", 405),
        ("OPTIONS", "/v1/jobs/JOB", 405),
    ],
)
def test_an_error_is_an_object_with_a_message(
    program: Program, client: Client, method: str, path: str, status: int
) -> None:
    refused = client.ask(method, path.replace("JOB", program.job()))
    assert (refused.status, set(refused.json())) == (status, {"error"})
    assert ("allow" in refused.headers) == (status == 405)


def test_requests_with_one_key_make_one_job(client: Client) -> None:
    key = str(random.getrandbits(64))
    with ThreadPoolExecutor(8) as pool:
        asked: list[Future[Answer]] = [pool.submit(client.create, key) for _ in range(24)]
        made = {str(each.result(PATIENCE).job()["id"]) for each in asked}
    assert len(made) == 1
    assert client.create(key).job()["id"] in made
    changed = client.create(key, maxSteps=3)
    assert (changed.status, set(changed.json())) == (422, {"error"})
    more = [client.create(each).job()["id"] for each in (key + "x", "", "")]
    assert len({*made, *more}) == 4
    until_over(client, made.pop())  # one worker, not 25
    with client.follow(str(client.create(key).job()["id"])) as follower:
        follower.read_all()
    assert len(follower.events) == 22


def test_a_head_of_the_stream_ends_at_once(program: Program, client: Client) -> None:
    job = program.job()
    with client.connect() as plug:
        plug.sendall(client.head("HEAD", f"/v1/jobs/{job}/events/stream"))
        answer = Answer.of(read_head(plug, "HEAD"))
        assert (answer.status, answer.body) == (200, b"")
        plug.sendall(client.head("GET", f"/v1/jobs/{job}"))
        assert Answer.of(read_head(plug, "GET")).job()["id"] == job
    assert program.do("drop", job=job, how="fin") == {"dropped": 0}


def test_a_client_that_expects_100_does_not_wait_for_ever(client: Client) -> None:
    headers = {"Expect": "100-continue", "Content-Length": "2"}
    with client.connect() as plug:
        plug.sendall(client.head("POST", "/v1/jobs", headers))
        assert plug.recv(65536).startswith(b"HTTP/1.1 100 ")
        plug.sendall(b"{}")
        assert Answer.of(read_head(plug, "POST")).status == 400


def test_a_target_may_be_a_whole_url(program: Program, client: Client) -> None:
    job = program.job()
    answer = client.ask("GET", f"{client.base_url}/v1/jobs/{job}")
    assert (answer.status, answer.job()["id"]) == (200, job)


def test_a_client_that_half_closes_gets_its_answer(program: Program, client: Client) -> None:
    job = program.job()
    body = json.dumps({"name": "n", "config": {}}).encode()
    create = client.head("POST", "/v1/jobs", {"Content-Length": str(len(body))}) + body
    for request in (client.head("GET", f"/v1/jobs/{job}"), create):
        with client.connect() as plug:
            plug.sendall(request)
            plug.shutdown(socket.SHUT_WR)
            assert "id" in Answer.of(read_head(plug, "GET")).job()
            assert plug.recv(1) == b""  # and then the connection is closed


def test_a_client_that_leaves_a_stream_is_noticed(program: Program, client: Client) -> None:
    job = program.job()
    with client.follow(job) as follower:
        follower.read()
    program.until_unfollowed(job)


def test_an_id_may_be_percent_encoded(program: Program, client: Client) -> None:
    job = program.job()
    for spelled in (f"%6A{job[1:]}", f"%6a{job[1:]}"):
        assert client.show(spelled)["id"] == job
    for wrong in ("%2Fcancel", "%2fcancel", "%2Fevents/stream", "/events%2Fstream"):
        assert client.ask("POST", f"/v1/jobs/{job}{wrong}").status in {404, 405}
        assert client.ask("GET", f"/v1/jobs/{job}{wrong}").status == 404
    assert client.show(job)["status"] == "queued"


def test_a_follower_that_does_not_read_delays_no_other(program: Program, client: Client) -> None:
    job = program.job()
    with client.follow(job) as slow:
        ids = program.emit(job, 80, bytes=2**18)
        with client.follow(job, ids[-1]) as quick:
            for count in range(1, 6):
                (ident,) = program.emit(job, 1)
                assert quick.ids(count)[-1] == ident
                assert client.show(job)["status"] == "running"
        assert len(slow.ids(85)) == 85


def test_dropped_streams_leave_room_for_others(program: Program, client: Client) -> None:
    job = program.job()
    program.emit(job, 1)
    for number in range(200):
        with client.follow(job) as follower:
            if number % 2:
                reset = struct.pack("ii", 1, 0)
                follower.plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
    with client.follow(job) as follower:
        assert len(follower.ids(1)) == 1
