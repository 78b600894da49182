"""Async functions given to the blocking client, which could never run them."""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable

import pytest

from arkor_proto import PROFILES, Profile
from arkor_proto._calls import chat_request
from arkor_proto.transports.blocking import Callbacks
from tests.arkor_proto.blocking.fixtures_blocking import answering, client_of
from tests.arkor_proto.transports.peer import LAST_CHUNK, STREAM_HEAD, Visit, chunk
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    ENDPOINT,
    frame,
    log,
)

NAMES = [
    "on_started",
    "on_log",
    "on_checkpoint",
    "on_completed",
    "on_failed",
    "on_reconnect",
    "on_notice",
]
CHAT = chat_request(ENDPOINT, [], job_id="j", step=1)


async def hear(*_: object) -> None:
    """Be an async callback."""


async def hear_more(_: object) -> AsyncGenerator[None]:
    """Be an async generator, which is no callback either."""
    yield


class Hearer:
    """An object that is called, asynchronously."""

    async def __call__(self, _: object) -> None:
        """Be called."""

    async def method(self, _: object) -> None:
        """Be a method."""

    @staticmethod
    async def static(_: object) -> None:
        """Be a static method."""


def marked() -> Callable[[object], object]:
    """Return a plain function that says that it is a coroutine function."""

    def function(_: object) -> None:
        """Do nothing."""

    mark = getattr(inspect, "markcoroutinefunction", None)
    return mark(function) if mark is not None else hear


def plainly(function: Callable[[object], object]) -> Callable[[object], object]:
    """Return a plain function that returns what an async one does."""

    def call(value: object) -> object:
        return function(value)

    return call


KNOWN = {
    "function": hear,
    "generator": hear_more,
    "partial": functools.partial(hear),
    "partial of a partial": functools.partial(functools.partial(hear)),
    "object": Hearer(),
    "partial of an object": functools.partial(Hearer()),
    "method": Hearer().method,
    "static method": Hearer.static,
    "marked": marked(),
}


@pytest.mark.parametrize("name", NAMES)
def test_an_async_callback_of_any_name_is_refused_at_once(name: str) -> None:
    with client_of("http://h") as client, pytest.raises(TypeError, match=f"^{name}: .*async"):
        client.attach("j", callbacks=Callbacks(**{name: hear}))


@pytest.mark.parametrize("callback", KNOWN.values(), ids=KNOWN)
def test_an_async_callback_of_any_kind_is_refused_at_once(
    callback: Callable[[object], object],
) -> None:
    callbacks = Callbacks(on_log=callback)
    with client_of("http://h") as client:
        with pytest.raises(TypeError, match="on_log: "):
            client.attach("j", callbacks=callbacks)
        with pytest.raises(TypeError, match="on_log: "):
            client.trainer(
                "bot", model="m", dataset={"type": "huggingface", "name": "d"}, callbacks=callbacks
            )
        with pytest.raises(TypeError, match="on_delta: "):
            client.chat(CHAT, callback)


async def two_events(visit: Visit) -> None:
    """Stream one log and the end."""
    await visit.request()
    await visit.send(STREAM_HEAD + chunk(frame(log(1), id="1") + frame(COMPLETED, id="2")))
    await visit.until_left()


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("returned", [hear, hear_more], ids=["coroutine", "async generator"])
def test_a_callback_that_turns_out_to_be_async_ends_the_wait_before_its_event(
    profile: Profile, returned: Callable[[object], object]
) -> None:
    with answering(two_events) as peer, client_of(peer.base_url, profile=profile) as client:
        trainer = client.attach("j", callbacks=Callbacks(on_log=plainly(returned)))
        with pytest.raises(
            TypeError, match="the callback for TrainingLog: the blocking client cannot run an async"
        ):
            trainer.wait()
        assert trainer.last_event_id == ""


def test_a_hook_that_turns_out_to_be_async_ends_the_wait() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + chunk(frame("no json", id="1")))
        await visit.until_left()

    with answering(backend) as peer, client_of(peer.base_url) as client:
        callbacks = Callbacks(on_notice=plainly(hear))
        with pytest.raises(
            TypeError, match="the hook for FrameSkipped: the blocking client cannot run an async"
        ):
            client.attach("j", callbacks=callbacks).wait()


def test_a_listener_that_turns_out_to_be_async_ends_the_inference() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        delta = frame({"choices": [{"delta": {"content": "a"}}]})
        await visit.send(STREAM_HEAD + chunk(delta) + LAST_CHUNK)

    with (
        answering(backend) as peer,
        client_of(peer.base_url) as client,
        pytest.raises(TypeError, match="on_delta: the blocking client cannot run an async"),
    ):
        client.chat(CHAT, plainly(hear))


def test_what_a_plain_callback_returns_is_nobodys_business() -> None:
    with answering(two_events) as peer, client_of(peer.base_url) as client:
        callbacks = Callbacks(on_log=lambda _: "said", on_completed=lambda _: (n for n in "x"))
        assert client.attach("j", callbacks=callbacks).wait().job.status == "completed"
