"""The backend without a server: requests in, answers out."""

import json

import pytest

from mock_server import JobPlan, scenario_from_dict
from mock_server.backend.answers import Answer, Follow, Later, Reply, Stream
from mock_server.backend.backend import Backend
from mock_server.requests import request_of
from mock_server.scenario.words.head import Resume, Shift
from mock_server.strict.shapes import is_array

BODY = {"name": "n", "config": {"model": "m"}}


class Asking:
    """A backend and a clock that only moves when it is told to."""

    def __init__(self, **words: object) -> None:
        self.backend = Backend(scenario_from_dict(words))
        self.now = 0.0

    def __call__(  # noqa: D102 - it asks
        self,
        method: str,
        target: str,
        body: object = None,
        *,
        resume: Resume | Shift | None = None,
        **headers: str,
    ) -> Answer:
        named = {
            "authorization": "Bearer t",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        raw = b"" if body is None else json.dumps(body).encode()
        request = request_of(method, target, tuple(named.items()), raw)
        answer = self.backend.answer(request, self.now, resume)
        if isinstance(answer, Later):
            self.now += answer.seconds
            answer = answer.make(self.now)
        return answer


def said(answer: Answer) -> tuple[int, dict[str, object]]:
    assert isinstance(answer, Reply)
    found: dict[str, object] = json.loads(answer.body)
    return answer.status, found


def followed(answer: Answer, now: float = 0.0) -> list[str | None]:
    assert isinstance(answer, Follow)
    return [frame.id for frame in answer.job.pull(answer.position, 1000, now)]


def test_a_create_answers_with_a_queued_job() -> None:
    status, body = said(Asking()("POST", "/v1/jobs?orgSlug=o&projectSlug=p", BODY))
    assert status == 200
    assert body["job"] == {
        "id": "job-1",
        "orgId": "o",
        "projectId": "p",
        "name": "n",
        "status": "queued",
        "config": {"model": "m"},
        "createdAt": "2026-05-01T00:00:00Z",
    }


def test_a_job_becomes_running_and_completed_as_it_is_followed() -> None:
    ask = Asking(job=[{"events": 3}])
    ask("POST", "/v1/jobs", BODY)
    follow = ask("GET", "/v1/jobs/job-1/events/stream")
    assert isinstance(follow, Follow)
    statuses = [ask.backend.jobs["job-1"].status.value]
    for position in range(3):
        follow.job.pull(position, 1, 0.0)
        statuses.append(ask.backend.jobs["job-1"].status.value)
    assert statuses == ["queued", "running", "running", "completed"]


def test_a_paced_job_advances_with_the_time_alone() -> None:
    ask = Asking(job=[{"events": 3, "interval_ms": 1000}])
    ask("POST", "/v1/jobs", BODY)
    ask.now = 2.5
    _, body = said(ask("GET", "/v1/jobs/job-1"))
    assert is_array(body["events"])
    assert len(body["events"]) == 2


def test_a_failed_job_says_why() -> None:
    ask = Asking(job=[{"events": 2, "status": "failed", "error": "no GPU"}])
    ask("POST", "/v1/jobs", BODY)
    followed(ask("GET", "/v1/jobs/job-1/events/stream"))
    _, body = said(ask("GET", "/v1/jobs/job-1"))
    assert isinstance(body["job"], dict)
    assert body["job"]["status"] == "failed"
    assert body["job"]["error"] == "no GPU"


@pytest.mark.parametrize(
    ("resume", "expected"),
    [
        (None, ["3", "4"]),
        (Resume.HONOUR, ["3", "4"]),
        (Resume.IGNORE, ["1", "2", "3", "4"]),
        (Shift(overlap=1), ["2", "3", "4"]),
        (Shift(overlap=9), ["1", "2", "3", "4"]),
        (Shift(gap=1), ["4"]),
        (Shift(gap=9), []),
    ],
)
def test_a_resume_goes_on_where_the_rule_says(
    resume: Resume | Shift | None, expected: list[str]
) -> None:
    ask = Asking(job=[{"events": 4}])
    ask("POST", "/v1/jobs", BODY)
    target = "/v1/jobs/job-1/events/stream"
    followed(ask("GET", target))
    assert followed(ask("GET", target, resume=resume, last_event_id="2")) == expected


def test_an_unknown_cursor_is_replayed_or_gone_as_planned() -> None:
    for words, status in (({}, 200), ({"backend": {"unknown_cursor": "gone"}}, 410)):
        ask = Asking(**words)
        ask("POST", "/v1/jobs", BODY)
        answer = ask("GET", "/v1/jobs/job-1/events/stream", last_event_id="never")
        assert answer.status == status


def test_a_cancel_before_anybody_follows_ends_the_job() -> None:
    ask = Asking()
    ask("POST", "/v1/jobs", BODY)
    assert said(ask("POST", "/v1/jobs/job-1/cancel"))[0] == 200
    follow = ask("GET", "/v1/jobs/job-1/events/stream")
    assert isinstance(follow, Follow)
    assert [frame.event for frame in follow.job.pull(0, 9, 0.0)] == ["end"]


def test_a_cancel_after_the_end_is_a_conflict() -> None:
    ask = Asking()
    ask("POST", "/v1/jobs", BODY)
    followed(ask("GET", "/v1/jobs/job-1/events/stream"))
    status, body = said(ask("POST", "/v1/jobs/job-1/cancel"))
    assert (status, body) == (409, {"error": "job 'job-1' has already completed"})


def test_the_same_key_and_body_is_the_same_job() -> None:
    ask = Asking()
    answers = [said(ask("POST", "/v1/jobs", BODY, idempotency_key="k")) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(ask.backend.jobs) == 1


def test_the_same_key_with_another_body_is_refused() -> None:
    ask = Asking()
    ask("POST", "/v1/jobs", BODY, idempotency_key="k")
    other = {**BODY, "name": "other"}
    assert said(ask("POST", "/v1/jobs", other, idempotency_key="k"))[0] == 422


def test_a_percent_encoded_job_id_is_decoded_once() -> None:
    ask = Asking(job=[{"id": "a/b%2F", "submitted": True}])
    assert said(ask("GET", "/v1/jobs/a%2Fb%252F"))[0] == 200
    assert said(ask("GET", "/v1/jobs/a/b%252F"))[0] == 404


@pytest.mark.parametrize("authorization", ["", "Basic t", "Bearer ", "Bearer other"])
def test_a_wrong_token_is_refused(authorization: str) -> None:
    ask = Asking(backend={"token": "t"})
    assert said(ask("GET", "/v1/me", authorization=authorization))[0] == 401
    assert said(ask("GET", "/v1/me"))[0] == 200


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("POST", "/v1/jobs", None, 400),
        ("POST", "/v1/jobs", {"name": "n"}, 400),
        ("GET", "/v1/jobs", None, 405),
        ("GET", "/v1/nothing", None, 404),
        ("GET", "/v1/jobs/none", None, 404),
        ("POST", "/v1/jobs/none/cancel", None, 404),
        ("POST", "/v1/inference/chat", {}, 400),
        ("POST", "/v1/projects?orgSlug=o", {}, 400),
        ("POST", "/v1/auth/anonymous", {}, 400),
    ],
)
def test_what_is_no_call_is_refused_with_its_status(
    method: str, target: str, body: object, status: int
) -> None:
    found, answer = said(Asking()(method, target, body))
    assert found == status
    assert isinstance(answer["error"], str)


def test_inference_answers_as_json_or_as_a_stream() -> None:
    ask = Asking(backend={"reply": "Hi there"})
    messages = [{"role": "user", "content": "x"}]
    _, body = said(ask("POST", "/v1/inference/chat", {"messages": messages}))
    assert "Hi there" in json.dumps(body)
    answer = ask("POST", "/v1/inference/chat", {"messages": messages, "stream": True})
    assert isinstance(answer, Stream)
    assert answer.frames[0].raw == b'data: {"choices":[{"index":0,"delta":{"content":"Hi "}}]}\n\n'
    assert answer.frames[-1].raw == b"data: [DONE]\n\n"


def test_a_project_is_made_once_and_listed_for_its_org() -> None:
    ask = Asking()
    assert said(ask("POST", "/v1/projects?orgSlug=o", {"name": "My Bot"}))[0] == 201
    assert said(ask("POST", "/v1/projects?orgSlug=o", {"name": "My Bot"}))[0] == 409
    assert said(ask("POST", "/v1/projects?orgSlug=p", {"name": "My Bot"}))[0] == 201
    _, body = said(ask("GET", "/v1/projects?orgSlug=o"))
    assert json.dumps(body["projects"]).count('"slug": "my-bot"') == 1


def test_an_anonymous_token_needs_no_token() -> None:
    ask = Asking()
    status, body = said(ask("POST", "/v1/auth/anonymous", {"kind": "cli"}, authorization=""))
    assert status == 200
    assert body["kind"] == "cli"
    assert body["personalOrg"] == {"slug": "anonymous-1", "id": "org-1", "name": "Personal"}


def test_who_am_i_has_a_user_and_orgs() -> None:
    assert set(said(Asking()("GET", "/v1/me"))[1]) == {"user", "orgs"}


def test_jobs_take_their_plans_in_order_and_the_last_again_without_its_id() -> None:
    ask = Asking(job=[{"id": "a"}, {"id": "b", "events": 2}])
    for _ in range(3):
        ask("POST", "/v1/jobs", BODY)
    assert list(ask.backend.jobs) == ["a", "b", "job-3"]
    assert ask.backend.jobs["job-3"].plan == JobPlan(events=2)


@pytest.mark.parametrize("prefix", ["run-7f3a-", "", "ä/"])
def test_ids_that_the_backend_makes_begin_as_the_scenario_says(prefix: str) -> None:
    ask = Asking(backend={"job_prefix": prefix}, job=[{"id": "own"}, {}])
    for _ in range(3):
        ask("POST", "/v1/jobs", BODY)
    assert list(ask.backend.jobs) == ["own", f"{prefix}2", f"{prefix}3"]


def test_an_id_with_a_prefix_passes_over_one_that_is_taken() -> None:
    ask = Asking(backend={"job_prefix": "x"}, job=[{"id": "x1", "submitted": True}, {}])
    ask("POST", "/v1/jobs", BODY)
    assert list(ask.backend.jobs) == ["x1", "x2"]


def test_two_thousand_events_keep_their_order_and_ids() -> None:
    ask = Asking(job=[{"events": 2000, "id_prefix": "e"}])
    ask("POST", "/v1/jobs", BODY)
    answer = ask("GET", "/v1/jobs/job-1/events/stream")
    assert isinstance(answer, Follow)
    assert [frame.id for frame in answer.job.pull(0, 3000, 0.0)] == [
        f"e{n}" for n in range(1, 2001)
    ]


def test_jobs_that_ended_first_are_forgotten_when_there_are_too_many() -> None:
    """The first one is still running, the second ended after the third: the third goes first."""
    ask = Asking(limits={"jobs": 3}, job=[{"events": 2, "interval_ms": 1000}])
    for number in (1, 2, 3):
        ask("POST", "/v1/jobs", BODY, idempotency_key=f"key-{number}")
    for name in ("job-3", "job-2"):
        ask("POST", f"/v1/jobs/{name}/cancel", {})
    ask("POST", "/v1/jobs", BODY)
    assert list(ask.backend.jobs) == ["job-1", "job-2", "job-4"]
    assert said(ask("GET", "/v1/jobs/job-3"))[0] == 404
    _, body = said(ask("POST", "/v1/jobs", BODY, idempotency_key="key-3"))
    assert '"id": "job-5"' in json.dumps(body)
    assert list(ask.backend.jobs) == ["job-1", "job-4", "job-5"]


def test_a_job_that_runs_or_is_followed_is_kept_whatever_the_limit_is() -> None:
    ask = Asking(limits={"jobs": 1})
    ask("POST", "/v1/jobs", BODY)
    answer = ask("GET", "/v1/jobs/job-1/events/stream")
    assert isinstance(answer, Follow)
    follower = answer.job.join()
    assert answer.job.cancel()
    ask("POST", "/v1/jobs", BODY)
    assert list(ask.backend.jobs) == ["job-1", "job-2"]
    answer.job.leave(follower, 1)
    ask("POST", "/v1/jobs", BODY)
    assert list(ask.backend.jobs) == ["job-2", "job-3"]


def test_a_forgotten_job_frees_the_memory_that_it_was_counted_with() -> None:
    ask = Asking(limits={"jobs": 5, "job_bytes": 1 << 16}, job=[{"events": 1}])
    for number in range(100):
        status, body = said(ask("POST", "/v1/jobs", BODY))
        assert status == 200, body
        followed(ask("GET", f"/v1/jobs/job-{number + 1}/events/stream"))
    assert len(ask.backend.jobs) == 5
