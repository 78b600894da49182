"""A token provider of the asynchronous client, on asyncio and on trio."""

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest
import sniffio

from arkor_proto import (
    HARDENED,
    PROFILE_2026_05,
    PROFILE_2026_07,
    Aborted,
    CheckpointSaved,
    GaveUp,
    NotConnected,
    Profile,
    Reconnecting,
    ResponseError,
    StatusError,
    TransportError,
)
from arkor_proto.transports.anyio import (
    ArkorClient,
    Callbacks,
    Checkpoint,
    Timeouts,
    TokenProvider,
)
from tests.arkor_proto.transports.fixtures_anyio import client_of, trainer_of
from tests.arkor_proto.transports.guarded import (
    ERROR,
    EVERY_ROUTE,
    HELLO,
    NOT_TOKENS,
    PAGE,
    STREAM,
    Guarded,
    Tokens,
    always,
    check_both_hidden,
    number,
    refuse,
    token,
)
from tests.arkor_proto.transports.peer import listening, refused

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

CALLS: dict[str, Callable[[ArkorClient], Awaitable[object]]] = {
    "start": lambda client: trainer_of(client).start(),
    "wait": lambda client: client.attach("job-1").wait(),
    "cancel": lambda client: client.attach("job-1").cancel(),
    "job": lambda client: client.job("job-1"),
    "me": lambda client: client.me(),
    "projects": lambda client: client.projects(),
    "create_project": lambda client: client.create_project("Bots", "bots"),
    "anonymous_token": lambda client: client.anonymous_token(),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


async def never() -> str:
    """Be a provider that never returns."""
    await anyio.sleep_forever()
    raise AssertionError


@pytest.mark.parametrize("name", ["__call__", "later"])
async def test_a_provider_is_asked_before_each_request(name: str) -> None:
    tokens, backend, said = Tokens(), Guarded(), list[str]()

    async def infer(checkpoint: Checkpoint) -> None:
        said.append(await checkpoint.infer(HELLO))

    provider: TokenProvider = getattr(tokens, name)
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=provider) as client,
    ):
        trainer = trainer_of(client, Callbacks(on_checkpoint=infer))
        result = await trainer.wait()
        await trainer.cancel()
        for call in list(CALLS.values())[3:]:
            await call(client)
    assert (result.job.status, said) == ("completed", ["Hi"])
    assert backend.routes == EVERY_ROUTE
    assert backend.tokens == list(range(1, 11))
    assert tokens.asked == 10


async def test_under_hardened_a_401_is_answered_with_another_token_and_the_same_cursor() -> None:
    tokens, backend, notices = Tokens(), Guarded(refuse(3)), list[Reconnecting]()
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=tokens.later, profile=HARDENED) as client,
    ):
        result = await trainer_of(client, Callbacks(on_reconnect=notices.append)).wait()
    streams = backend.of(STREAM)
    assert result.job.status == "completed"
    assert [each.header("Last-Event-ID") for each in streams] == [None, "2", "2"]
    assert [number(each) for each in streams] == [2, 3, 4]
    assert len(notices) == 1


async def test_under_hardened_a_create_is_repeated_with_the_same_key_and_body() -> None:
    tokens, backend = Tokens(), Guarded(refuse(1))
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
    ):
        assert await trainer_of(client).start() == "job-1"
    first, second = backend.asked
    assert first.header("Idempotency-Key") == second.header("Idempotency-Key") is not None
    assert first.body == second.body != b""
    assert backend.tokens == [1, 2]


@calls
async def test_under_hardened_the_second_answer_counts(
    call: Callable[[ArkorClient], Awaitable[object]],
) -> None:
    tokens, backend = Tokens(), Guarded(refuse(1, 2))
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=tokens.later, profile=HARDENED) as client,
    ):
        with pytest.raises(StatusError) as caught:
            await call(client)
    assert caught.value.status == 401
    assert backend.tokens == [1, 2]
    check_both_hidden(caught.value)


@calls
async def test_under_hardened_the_same_request_is_sent_again(
    call: Callable[[ArkorClient], Awaitable[object]],
) -> None:
    tokens, backend = Tokens(), Guarded(refuse(1))
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
    ):
        await call(client)
    assert backend.tokens[:2] == [1, 2]
    assert backend.asked[0].line == backend.asked[1].line
    assert backend.asked[0].body == backend.asked[1].body


@pytest.mark.parametrize("profile", [PROFILE_2026_05, PROFILE_2026_07])
async def test_the_published_revisions_do_not_refresh(profile: Profile) -> None:
    tokens, backend = Tokens(), Guarded(refuse(1, 2, 3))
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=profile, max_attempts=0) as client,
    ):
        for call in ("start", "wait", "me"):
            with pytest.raises((StatusError, GaveUp), match="not "):
                await CALLS[call](client)
    assert backend.tokens == [1, 2, 3]


async def test_a_fixed_token_is_not_sent_twice() -> None:
    backend = Guarded(refuse(1))
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=token(1), profile=HARDENED) as client,
    ):
        with pytest.raises(StatusError):
            await client.me()
    assert backend.tokens == [1]


async def test_only_401_asks_for_another_token() -> None:
    tokens, backend = Tokens(), Guarded(refuse(1), status=403)
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
    ):
        with pytest.raises(StatusError) as caught:
            await client.me()
    assert (caught.value.status, tokens.asked) == (403, 1)


async def test_a_refused_request_goes_over_a_new_connection_even_if_one_is_idle() -> None:
    tokens, backend = Tokens(), Guarded(refuse(2))
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
    ):
        await client.me()
        await client.me()
        assert peer.visits == 2
    assert backend.tokens == [1, 2, 3]


@calls
@pytest.mark.parametrize(("returned", "kind", "words"), NOT_TOKENS)
async def test_what_is_not_a_token_ends_the_call_and_is_not_shown(
    call: Callable[[ArkorClient], Awaitable[object]],
    returned: str,
    kind: type[Exception],
    words: str,
) -> None:
    backend = Guarded()
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=lambda: returned, profile=HARDENED) as client,
    ):
        with pytest.raises(kind, match=words) as caught:
            await call(client)
        assert peer.visits == 0
    assert "tok-" not in str(caught.value)
    assert "tok with" not in str(caught.value)


@calls
async def test_what_a_provider_raises_ends_the_call_unchanged(
    call: Callable[[ArkorClient], Awaitable[object]],
) -> None:
    error = LookupError("no such account")
    tokens = Tokens({1: error})
    async with (
        listening(Guarded().handle) as peer,
        client_of(peer.base_url, token=tokens.later, max_attempts=5) as client,
    ):
        with pytest.raises(LookupError) as caught:
            await call(client)
        assert peer.visits == 0
    assert caught.value is error


@pytest.mark.parametrize("kind", [OSError, TransportError])
async def test_a_provider_that_the_network_fails_is_a_failed_attempt(
    kind: type[Exception],
) -> None:
    error = kind("the token endpoint is down")
    tokens, notices = Tokens({3: error, 4: error}), list[Reconnecting]()
    async with (
        listening(Guarded().handle) as peer,
        client_of(peer.base_url, token=tokens.later) as client,
    ):
        result = await trainer_of(client, Callbacks(on_reconnect=notices.append)).wait()
    assert result.job.status == "completed"
    assert [each.cause is error for each in notices] == [False, True, True]
    assert [each.failures for each in notices] == [1, 2, 3]


async def test_a_wait_that_a_provider_has_ended_goes_on_at_the_cursor() -> None:
    tokens, backend = Tokens({3: LookupError("no such account")}), Guarded()
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=tokens) as client,
    ):
        trainer = trainer_of(client)
        with pytest.raises(LookupError):
            await trainer.wait()
        assert trainer.last_event_id == "2"
        assert (await trainer.wait()).job.status == "completed"
    assert backend.asked[-1].header("Last-Event-ID") == "2"


async def test_a_provider_that_fails_after_a_401_ends_the_call() -> None:
    tokens, backend = Tokens({2: LookupError("no such account")}), Guarded(refuse(1))
    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
    ):
        with pytest.raises(LookupError):
            await client.attach("job-1").wait()
    assert len(backend.asked) == 1


async def test_a_slow_provider_is_a_failed_attempt() -> None:
    limits = Timeouts(token=0.01)
    async with client_of(refused(), token=never, timeouts=limits) as client:
        for call in ("start", "cancel", "me"):
            with pytest.raises(NotConnected, match=r"^token provider: .* within 0.01 seconds$"):
                await CALLS[call](client)


async def test_a_call_waits_for_a_provider_no_longer_than_for_its_answer() -> None:
    limits = Timeouts(answer=0.01)
    async with client_of(refused(), token=never, timeouts=limits) as client:
        with pytest.raises(TransportError, match=r"^response: not complete after 0.01 seconds$"):
            await client.me()


async def test_an_abort_does_not_wait_for_a_provider() -> None:
    asked, cancelled = anyio.Event(), anyio.Event()

    async def provider() -> str:
        asked.set()
        try:
            return await never()
        finally:
            cancelled.set()

    async with client_of(refused(), token=provider) as client, anyio.create_task_group() as tasks:
        trainer = client.attach("job-1")

        async def abort() -> None:
            await asked.wait()
            trainer.abort("enough")

        tasks.start_soon(abort)
        with pytest.raises(Aborted, match="enough"):
            await trainer.wait()
        await cancelled.wait()


async def test_a_cancelled_call_cancels_the_provider_and_a_wait_goes_on_later() -> None:
    tokens, backend, slow = Tokens(), Guarded(), True

    async def provider() -> str:
        return await never() if slow else tokens()

    async with (
        listening(backend.handle) as peer,
        client_of(peer.base_url, token=provider) as client,
    ):
        trainer = trainer_of(client)
        for call in (client.me, client.attach("job-1").wait):
            with anyio.move_on_after(0.01) as scope:
                await call()
            assert scope.cancelled_caught
        slow = False
        assert (await trainer.wait()).job.status == "completed"


async def test_a_client_that_is_left_does_not_wait_for_a_provider() -> None:
    raised: list[Exception] = []
    asked = anyio.Event()

    async def provider() -> str:
        asked.set()
        return await never()

    async def call(client: ArkorClient) -> None:
        try:
            await client.attach("job-1").wait()
        except TransportError as error:
            raised.append(error)

    async with (
        anyio.create_task_group() as tasks,
        client_of(refused(), token=provider) as client,
    ):
        tasks.start_soon(call, client)
        await asked.wait()
    assert [str(each) for each in raised] == ["the client was closed"]


async def test_a_provider_whose_own_task_is_cancelled_ends_the_wait() -> None:
    if sniffio.current_async_library() != "asyncio":
        pytest.skip("trio cancels scopes, not what a task waits for")

    async def provider() -> str:
        shared: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        shared.cancel()
        return await shared

    async with client_of(refused(), token=provider) as client:
        with pytest.raises(
            RuntimeError, match="token provider: an operation that it was awaiting was cancelled"
        ):
            await client.attach("job-1").wait()


async def test_the_tokens_of_a_page_and_of_an_inference_are_hidden() -> None:
    async with listening(always(PAGE)) as peer:
        for call in ("me", "start"):
            async with client_of(peer.base_url, token=Tokens()) as client:
                with pytest.raises(ResponseError, match=r'got text/html: "no \*\*\*"$'):
                    await CALLS[call](client)
    async with (
        listening(always(ERROR)) as peer,
        client_of(peer.base_url, token=Tokens()) as client,
    ):
        checkpoint = client.attach("job-1").checkpoint(CheckpointSaved(step=1))
        with pytest.raises(ResponseError, match=r"inference: no \*\*\*$"):
            await checkpoint.infer(HELLO)


@pytest.mark.parametrize("wrong", [3, None, b"tok-provided"])
async def test_a_token_of_a_wrong_type_is_refused_at_once(wrong: str) -> None:
    with pytest.raises(TypeError, match=r"^token: .*; pass a str, or a function that returns one"):
        client_of("http://127.0.0.1:9", token=wrong)
