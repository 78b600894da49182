"""The user's surface of the blocking client, against the mock backend."""

import pytest

from arkor_proto import (
    HARDENED,
    PROFILE_2026_07,
    Bounds,
    CheckpointSaved,
    GaveUp,
    Reconnecting,
    ResponseError,
    StatusError,
    TransportError,
)
from arkor_proto.transports.blocking import ArkorClient, Callbacks, Checkpoint
from mock_server import ConnectionOpened
from tests.arkor_proto.blocking.fixtures_blocking import (
    VirtualClock,
    client_of,
    serving,
    trainer_of,
)

STREAM = {"route": "stream"}


def test_a_clean_end_after_progress_is_told_and_reopened() -> None:
    told: list[Reconnecting] = []
    rule = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 2}, "end": "eof"}
    with serving(rule=[rule]) as backend, client_of(backend.base_url) as client:
        trainer_of(client, Callbacks(on_reconnect=told.append)).wait()
    assert [(each.failures, each.cause, each.last_event_id) for each in told] == [(0, None, "2")]


def test_the_budget_spent_raises_what_is_needed_to_go_on() -> None:
    clock = VirtualClock()
    rule = {"on": STREAM, "status": 500}
    with (
        serving(rule=[rule]) as backend,
        client_of(backend.base_url, clock=clock, max_attempts=2) as client,
    ):
        with pytest.raises(GaveUp) as caught:
            trainer_of(client).wait()
        assert len(backend.asked("stream")) == 3
    assert (caught.value.job_id, clock.delays) == ("job-1", [1.0, 2.0])


def test_a_permanent_status_ends_the_wait_at_once() -> None:
    rule = {"on": STREAM, "status": 403, "json": {"error": "not yours"}}
    with (
        serving(rule=[rule]) as backend,
        client_of(backend.base_url, profile=PROFILE_2026_07) as client,
        pytest.raises(StatusError, match="403: not yours"),
    ):
        trainer_of(client).wait()


def test_the_hardened_profile_sends_the_same_key_when_a_start_is_tried_again() -> None:
    rule = {"on": {"route": "create", "attempt": 1}, "lose": "response"}
    with serving(rule=[rule]) as backend, client_of(backend.base_url, profile=HARDENED) as client:
        trainer = trainer_of(client)
        with pytest.raises(TransportError):
            trainer.start()
        trainer.start()
        keys = [dict(each.headers)["idempotency-key"] for each in backend.asked("create")]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_checkpoint_is_asked_for_inference_from_its_callback() -> None:
    answers: list[str] = []
    pieces: list[str] = []

    def on_checkpoint(checkpoint: Checkpoint) -> None:
        messages = [{"role": "user", "content": "hi"}]
        answers.append(checkpoint.infer(messages, on_delta=pieces.append))

    scenario = {"reply": "Hello there."}
    with serving(backend=scenario) as backend, client_of(backend.base_url) as client:
        trainer_of(client, Callbacks(on_checkpoint=on_checkpoint)).wait()
        (asked,) = backend.asked("chat")
    assert [answer.strip() for answer in answers] == ["Hello there."]
    assert "".join(pieces) == answers[0]
    assert b'"kind":"checkpoint","jobId":"job-1","step":4' in asked.body


def test_a_checkpoint_without_a_step_cannot_be_asked() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        checkpoint = Checkpoint(saved=CheckpointSaved(), job_id="j", client=client)
        with pytest.raises(ValueError, match="has no step"):
            checkpoint.infer([])


def test_an_inference_that_is_refused_raises() -> None:
    rule = {"on": {"route": "chat"}, "status": 429, "json": {"error": "slowly"}}
    with serving(rule=[rule]) as backend, client_of(backend.base_url) as client:
        checkpoint = Checkpoint(saved=CheckpointSaved(step=1), job_id="j", client=client)
        with pytest.raises(StatusError, match="429: slowly"):
            checkpoint.infer([])


def test_the_short_calls_answer_and_share_one_connection() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        assert client.create_project("Bots", "bots")["project"]
        assert client.projects()["projects"]
        assert client.me()["user"]
        opened = [each for each in backend.journal if isinstance(each, ConnectionOpened)]
    assert len(opened) == 1


def test_a_job_is_asked_for_as_it_stands() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        job_id = trainer_of(client).start()
        assert client.job(job_id).status == "queued"


def test_an_anonymous_token_is_got_without_a_token() -> None:
    with serving() as backend, ArkorClient(backend.base_url) as client:
        assert client.anonymous_token()["token"]
        (asked,) = backend.asked("anonymous")
    assert not asked.authorized


def test_a_connection_that_died_idle_is_replaced() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        client.me()
        (number,) = backend.mock.connections
        backend.portal.call(backend.mock.end_connection, number)
        backend.wait_until_left()
        assert client.me()["user"]


def test_a_call_that_is_refused_raises_the_words_of_the_backend() -> None:
    with (
        serving() as backend,
        client_of(backend.base_url) as client,
        pytest.raises(StatusError, match="404: job 'nope' not found"),
    ):
        client.job("nope")


def test_an_answer_beyond_its_bound_raises() -> None:
    rule = {"on": {"route": "me"}, "body": "x" * 200}
    with (
        serving(rule=[rule]) as backend,
        client_of(backend.base_url, bounds=Bounds(create_body=100)) as client,
        pytest.raises(ResponseError, match="larger than 100 bytes"),
    ):
        client.me()


def test_a_closed_client_says_so() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client)
        client.close()
        for use in (trainer.start, trainer.wait, trainer.cancel, client.me):
            with pytest.raises(RuntimeError, match="client: not open"):
                use()
