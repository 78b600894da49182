"""The cursor is saved once an event has been handled, by either client."""

import anyio
import anyio.lowlevel
import pytest

from arkor_proto import HARDENED, PROFILE_2026_05, TrainingLog
from arkor_proto.transports import anyio as asynchronous
from arkor_proto.transports import blocking
from tests.arkor_proto.blocking import fixtures_blocking
from tests.arkor_proto.transports.fixtures_anyio import client_of, serve, trainer_of

CURSORS = [("job-1", str(number)) for number in range(1, 7)]
asynchronously = pytest.mark.usefixtures("nothing_is_left")


def ignore(_: object) -> None:
    """Do nothing with an event."""


@pytest.mark.anyio
@asynchronously
async def test_the_cursor_is_saved_after_the_callback_and_before_the_next_event() -> None:
    course: list[object] = []

    async def hear(log: TrainingLog) -> None:
        course.append(("begins", log.step))
        await anyio.lowlevel.checkpoint()
        course.append(("ends", log.step))

    async def save(job_id: str, cursor: str) -> None:
        await anyio.lowlevel.checkpoint()
        course.append((job_id, cursor))

    callbacks = asynchronous.Callbacks(on_log=hear, checkpointer=save)
    async with serve() as mock, client_of(mock.base_url) as client:
        await trainer_of(client, callbacks).wait()
    assert course[:4] == [("job-1", "1"), ("begins", 1), ("ends", 1), ("job-1", "2")]
    assert [each for each in course if each in CURSORS] == CURSORS


@pytest.mark.anyio
@asynchronously
async def test_an_event_whose_callback_raised_or_was_cancelled_is_not_saved() -> None:
    saved: list[str] = []

    async def hear(log: TrainingLog) -> None:
        if log.step == 2:
            scope.cancel()
            await anyio.sleep_forever()
        if log.step == 3:
            raise LookupError

    def save(_: str, cursor: str) -> None:
        saved.append(cursor)

    callbacks = asynchronous.Callbacks(on_log=hear, checkpointer=save)
    async with serve() as mock, client_of(mock.base_url, profile=HARDENED) as client:
        trainer = trainer_of(client, callbacks)
        with anyio.CancelScope() as scope:
            await trainer.wait()
    assert saved == ["1", "2"]


@pytest.mark.anyio
@asynchronously
async def test_an_event_that_is_iterated_over_is_saved_when_the_next_one_is_asked_for() -> None:
    saved: list[str] = []

    async def save(_: str, cursor: str) -> None:
        await anyio.lowlevel.checkpoint()
        saved.append(cursor)

    async with serve() as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client, asynchronous.Callbacks(checkpointer=save))
        async with trainer.events() as events:
            before = [len(saved) async for _ in events]
    assert before == [0, 1, 2, 3, 4, 5]
    assert saved == [cursor for _, cursor in CURSORS]


@pytest.mark.anyio
@asynchronously
async def test_what_a_checkpointer_raises_is_treated_as_what_a_callback_raises() -> None:
    def save(_: str, cursor: str) -> None:
        if cursor == "3":
            raise OSError("disk full")

    callbacks = asynchronous.Callbacks(checkpointer=save)
    async with serve() as mock, client_of(mock.base_url, profile=HARDENED) as client:
        with pytest.raises(OSError, match="disk full"):
            await trainer_of(client, callbacks).wait()


def test_the_blocking_client_saves_the_cursor_after_the_callback() -> None:
    course: list[object] = []
    callbacks = blocking.Callbacks(
        on_log=lambda log: course.append(log.step),
        checkpointer=lambda job_id, cursor: course.append((job_id, cursor)),
    )
    with (
        fixtures_blocking.serving() as backend,
        fixtures_blocking.client_of(backend.base_url) as client,
    ):
        fixtures_blocking.trainer_of(client, callbacks).wait()
    assert course[:4] == [("job-1", "1"), 1, ("job-1", "2"), 2]
    assert [each for each in course if each in CURSORS] == CURSORS


def test_the_blocking_client_saves_an_event_when_the_next_one_is_asked_for() -> None:
    saved: list[str] = []
    callbacks = blocking.Callbacks(checkpointer=lambda _, cursor: saved.append(cursor))
    with (
        fixtures_blocking.serving() as backend,
        fixtures_blocking.client_of(backend.base_url) as client,
        fixtures_blocking.trainer_of(client, callbacks).events() as events,
    ):
        before = [len(saved) for _ in events]
    assert before == [0, 1, 2, 3, 4, 5]
    assert saved == [cursor for _, cursor in CURSORS]


def test_a_blocking_checkpointer_that_raises_ends_the_wait_under_profiles_that_say_so() -> None:
    saved: list[str] = []

    def save(_: str, cursor: str) -> None:
        saved.append(cursor)
        if len(saved) == 3:
            raise OSError("disk full")

    callbacks = blocking.Callbacks(checkpointer=save)
    with fixtures_blocking.serving() as backend:
        with (
            fixtures_blocking.client_of(backend.base_url, profile=HARDENED) as client,
            pytest.raises(OSError, match="disk full"),
        ):
            fixtures_blocking.trainer_of(client, callbacks).wait()
        saved.clear()
        with fixtures_blocking.client_of(backend.base_url, profile=PROFILE_2026_05) as client:
            fixtures_blocking.trainer_of(client, callbacks).wait()
    assert saved == ["1", "2", "3", "4", "5", "6"]


async def save_later(_: str, __: str) -> None:
    """Save nothing."""


def test_a_checkpointer_of_a_wrong_kind_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="checkpointer"):
        asynchronous.Callbacks(checkpointer=3)  # type: ignore[arg-type]  # what is tested
    with (
        fixtures_blocking.client_of("http://127.0.0.1:9") as client,
        pytest.raises(
            TypeError, match="checkpointer: the blocking client cannot run an async function"
        ),
    ):
        client.attach("j", callbacks=blocking.Callbacks(checkpointer=save_later))
