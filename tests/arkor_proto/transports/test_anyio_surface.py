"""What a user of the asynchronous client sees, on asyncio and on trio."""

import pytest

from arkor_proto import (
    Reconnecting,
    StatusError,
    TrainingLog,
)
from arkor_proto.transports import blocking
from arkor_proto.transports.anyio import ArkorClient, Callbacks
from tests.arkor_proto.transports.fixtures_anyio import (
    asked,
    client_of,
    serve,
    trainer_of,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]


async def test_the_result_names_the_job_and_the_cursor_to_resume_from() -> None:
    async with serve(job=[{"events": 3}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        result = await trainer.wait()
    assert (result.job.id, result.job.status) == ("job-1", "completed")
    assert result.last_event_id == trainer.last_event_id == "3"


async def test_asynchronous_callbacks_are_awaited() -> None:
    steps: list[int | None] = []

    async def hear(event: TrainingLog) -> None:
        steps.append(event.step)

    async with serve(job=[{"events": 4}]) as mock, client_of(mock.base_url) as client:
        await trainer_of(client, Callbacks(on_log=hear)).wait()
    assert steps


async def test_an_attached_trainer_follows_without_a_create() -> None:
    plan = {"id": "j", "events": 2, "submitted": True}
    async with serve(job=[plan]) as mock, client_of(mock.base_url) as client:
        trainer = client.attach("j")
        assert await trainer.start() == "j"
        assert (await trainer.wait()).job.status == "completed"
        assert asked(mock, "create") == []
    assert len(asked(mock, "stream")) == 1


async def test_a_cursor_that_no_header_holds_is_refused_at_once() -> None:
    async with serve() as mock, client_of(mock.base_url) as client:
        with pytest.raises(ValueError, match=r"last_event_id: .*control characters"):
            client.attach("j", last_event_id="1\r\nX: y")


async def test_on_reconnect_hears_why_and_how_long() -> None:
    heard: list[Reconnecting] = []
    rule = {"on": {"route": "stream", "attempt": 1}, "status": 503}
    async with serve(rule=[rule]) as mock, client_of(mock.base_url) as client:
        await trainer_of(client, Callbacks(on_reconnect=heard.append)).wait()
    assert [(each.failures, each.delay) for each in heard] == [(1, 1.0)]
    assert "503" in str(heard[0].cause)


async def test_on_notice_hears_of_a_deprecation_once() -> None:
    heard: list[object] = []
    headers = {"Deprecation": "true", "Warning": '299 - "move on"', "Sunset": "soon"}
    rule = {"on": {}, "headers": headers}
    async with serve(rule=[rule]) as mock, client_of(mock.base_url) as client:
        await trainer_of(client, Callbacks(on_notice=heard.append)).wait()
    assert [getattr(notice, "message", None) for notice in heard] == ["move on"]


async def test_an_asynchronous_hook_is_awaited_too(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Reconnecting] = []

    async def hear(notice: Reconnecting) -> None:
        heard.append(notice)
        raise ValueError("the hook's own")

    rule = {"on": {"route": "stream", "attempt": 1}, "status": 503}
    async with serve(rule=[rule]) as mock, client_of(mock.base_url) as client:
        result = await trainer_of(client, Callbacks(on_reconnect=hear)).wait()
    assert result.job.status == "completed"
    assert len(heard) == 1
    assert "the hook for Reconnecting raised" in caplog.text


async def test_a_hook_that_raises_is_logged_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def hear(_: Reconnecting) -> None:
        raise ValueError("the hook's own")

    rule = {"on": {"route": "stream", "attempt": 1}, "status": 503}
    async with serve(rule=[rule]) as mock, client_of(mock.base_url) as client:
        result = await trainer_of(client, Callbacks(on_reconnect=hear)).wait()
    assert result.job.status == "completed"
    assert "the hook's own" in caplog.text


async def test_the_other_calls_return_what_the_backend_says() -> None:
    plan = {"id": "j", "submitted": True}
    async with serve(job=[plan]) as mock, client_of(mock.base_url) as client:
        assert (await client.job("j")).id == "j"
        assert "user" in await client.me()
        assert "bots-2" in repr(await client.create_project("Bots", "bots-2"))
        assert "bots-2" in repr(await client.projects())


async def test_a_slug_that_exists_is_a_409() -> None:
    async with serve() as mock, client_of(mock.base_url) as client:
        await client.create_project("Bots", "twice")
        with pytest.raises(StatusError, match="409"):
            await client.create_project("Bots", "twice")


async def test_a_client_without_a_token_can_get_one() -> None:
    async with serve() as mock:
        async with ArkorClient(mock.base_url) as client:
            answer = await client.anonymous_token()
        assert isinstance(answer["token"], str)
        async with client_of(mock.base_url, token=answer["token"]) as client:
            assert await trainer_of(client).start() == "job-1"


async def test_an_empty_token_is_refused_before_anything_is_sent() -> None:
    for make in (ArkorClient, blocking.ArkorClient):
        with pytest.raises(ValueError, match="token: must not be empty; leave it out"):
            make("http://127.0.0.1:9", token="")


async def test_a_job_that_nobody_knows_is_a_404() -> None:
    async with serve() as mock, client_of(mock.base_url) as client:
        with pytest.raises(StatusError, match="404"):
            await client.job("nobody")
