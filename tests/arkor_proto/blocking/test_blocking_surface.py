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
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingLog,
    TrainingStarted,
    TransportError,
)
from arkor_proto.transports.blocking import ArkorClient, Callbacks, Checkpoint
from mock_server import ConnectionOpened
from tests.arkor_proto.blocking.fixtures_blocking import (
    VirtualClock,
    client_of,
    hearing,
    serving,
    trainer_of,
)

STREAM = {"route": "stream"}


def test_a_job_is_followed_to_its_end_with_every_callback_in_order() -> None:
    heard: list[TrainingEvent | Checkpoint] = []
    with serving() as backend, client_of(backend.base_url) as client:
        result = trainer_of(client, hearing(heard.append)).wait()
    kinds = [TrainingStarted, TrainingLog, TrainingLog, TrainingLog, Checkpoint, TrainingCompleted]
    assert [type(each) for each in heard] == kinds
    assert (result.job.status, result.last_event_id, len(result.artifacts)) == ("completed", "6", 1)


def test_a_failed_job_is_a_result() -> None:
    heard: list[TrainingEvent | Checkpoint] = []
    job = {"events": 3, "status": "failed", "error": "out of memory"}
    with serving(job=[job]) as backend, client_of(backend.base_url) as client:
        result = trainer_of(client, hearing(heard.append)).wait()
    assert (result.job.status, result.job.error) == ("failed", "out of memory")
    assert isinstance(heard[-1], TrainingFailed)


def test_start_submits_once_and_opens_no_stream() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client)
        assert trainer.start() == trainer.start() == "job-1"
        assert trainer.job is not None
        assert len(backend.asked("create")) == 1
        assert backend.asked("stream") == []


def test_a_refused_start_raises_and_may_be_tried_again() -> None:
    rule = {"on": {"route": "create", "attempt": 1}, "status": 503, "json": {"error": "full"}}
    with serving(rule=[rule]) as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client)
        with pytest.raises(StatusError, match="503: full"):
            trainer.start()
        assert trainer.start() == "job-1"


def test_a_second_wait_returns_the_result_without_a_request() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client)
        assert trainer.wait() == trainer.wait()
        assert len(backend.asked("stream")) == 1


def test_the_stream_is_closed_behind_the_terminal_event_while_the_client_stays_open() -> None:
    rule = {"on": STREAM, "end": "hang"}
    with serving(rule=[rule]) as backend, client_of(backend.base_url) as client:
        trainer_of(client).wait()
        (stream,) = backend.asked("stream")
        assert backend.wait_until_left(stream.connection) == ["client"]


def test_a_broken_stream_is_resumed_behind_the_last_event() -> None:
    heard: list[TrainingEvent | Checkpoint] = []
    clock = VirtualClock()
    rule = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 2}, "end": "rst"}
    with (
        serving(rule=[rule]) as backend,
        client_of(backend.base_url, clock=clock) as client,
    ):
        trainer_of(client, hearing(heard.append)).wait()
        assert [each.last_event_id for each in backend.asked("stream")] == [None, "2"]
    assert (len(heard), clock.delays) == (6, [1.0])


def test_a_clean_end_after_progress_is_told_and_reopened() -> None:
    told: list[Reconnecting] = []
    rule = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 2}, "end": "eof"}
    with serving(rule=[rule]) as backend, client_of(backend.base_url) as client:
        trainer_of(client, Callbacks(on_reconnect=told.append)).wait()
    assert [(each.failures, each.cause, each.last_event_id) for each in told] == [(0, None, "2")]


def test_a_job_of_another_process_is_followed_from_a_saved_cursor() -> None:
    heard: list[TrainingEvent | Checkpoint] = []
    with serving() as backend, client_of(backend.base_url) as client:
        job_id = trainer_of(client).start()
        trainer_of(client).wait()
        attached = client.attach(job_id, callbacks=hearing(heard.append))
        attached.wait()
        heard.clear()
        again = client.attach(job_id, last_event_id="4", callbacks=hearing(heard.append))
        assert again.wait().last_event_id == "6"
    assert [type(each) for each in heard] == [Checkpoint, TrainingCompleted]


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


def test_what_a_callback_raises_goes_down_the_failure_path_under_the_founding_profile() -> None:
    heard: list[int | None] = []

    def on_log(log: TrainingLog) -> None:
        heard.append(log.step)
        if log.step == 2:
            raise LookupError(log.step)

    with serving() as backend, client_of(backend.base_url) as client:
        trainer_of(client, Callbacks(on_log=on_log)).wait()
        assert [each.last_event_id for each in backend.asked("stream")] == [None, "3"]
    assert heard == [1, 2, 3]


def test_what_a_callback_raises_rejects_the_wait_under_the_amended_profile() -> None:
    error = LookupError("mine")

    def on_log(_: TrainingLog) -> None:
        raise error

    with (
        serving() as backend,
        client_of(backend.base_url, profile=PROFILE_2026_07) as client,
        pytest.raises(LookupError) as caught,
    ):
        trainer_of(client, Callbacks(on_log=on_log)).wait()
    assert caught.value is error


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
        with pytest.raises(ValueError, match="without a step"):
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
            with pytest.raises(RuntimeError, match="client: it is not open"):
                use()


def test_cancel_without_a_job_does_nothing() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        trainer_of(client).cancel()
        assert backend.journal == []


def test_a_cancel_that_the_backend_declines_raises() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client)
        trainer.wait()
        with pytest.raises(StatusError, match="409"):
            trainer.cancel()
