"""A token provider of the blocking client, which has a thread of its own."""

import os
import signal
import threading
from collections.abc import Callable

import pytest
from attrs import define, field

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
from arkor_proto.transports.blocking import (
    ArkorClient,
    Callbacks,
    Checkpoint,
    MonotonicClock,
    Timeouts,
)
from tests.arkor_proto.blocking.fixtures_blocking import (
    PATIENCE,
    answering,
    client_of,
    threads,
    trainer_of,
)
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
from tests.arkor_proto.transports.peer import refused

CALLS: dict[str, Callable[[ArkorClient], object]] = {
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


@define(eq=False)
class Slow:
    """A provider that returns once it is let go."""

    asked: threading.Event = field(factory=threading.Event)
    returns: threading.Event = field(factory=threading.Event)

    def __call__(self) -> str:
        """Return a token, sooner or later."""
        self.asked.set()
        self.returns.wait(PATIENCE)
        return token(1)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture(autouse=True)
def _let_go(slow: Slow) -> object:
    yield
    slow.returns.set()


def test_a_provider_is_asked_before_each_request() -> None:
    tokens, backend, said = Tokens(), Guarded(), list[str]()

    def infer(checkpoint: Checkpoint) -> None:
        said.append(checkpoint.infer(HELLO))

    with answering(backend.handle) as peer, client_of(peer.base_url, token=tokens) as client:
        trainer = trainer_of(client, Callbacks(on_checkpoint=infer))
        result = trainer.wait()
        trainer.cancel()
        for call in list(CALLS.values())[3:]:
            call(client)
    assert (result.job.status, said) == ("completed", ["Hi"])
    assert backend.routes == EVERY_ROUTE
    assert backend.tokens == list(range(1, 11))
    assert tokens.asked == 10


def test_under_hardened_a_401_is_answered_with_another_token_and_the_same_cursor() -> None:
    tokens, backend, notices = Tokens(), Guarded(refuse(3)), list[Reconnecting]()
    with (
        answering(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
    ):
        result = trainer_of(client, Callbacks(on_reconnect=notices.append)).wait()
    streams = backend.of(STREAM)
    assert result.job.status == "completed"
    assert [each.header("Last-Event-ID") for each in streams] == [None, "2", "2"]
    assert [number(each) for each in streams] == [2, 3, 4]
    assert len(notices) == 1


def test_under_hardened_a_create_is_repeated_with_the_same_key_and_body() -> None:
    tokens, backend = Tokens(), Guarded(refuse(1))
    with (
        answering(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
    ):
        assert trainer_of(client).start() == "job-1"
    first, second = backend.asked
    assert first.header("Idempotency-Key") == second.header("Idempotency-Key") is not None
    assert first.body == second.body != b""
    assert backend.tokens == [1, 2]


@calls
def test_under_hardened_the_second_answer_counts(call: Callable[[ArkorClient], object]) -> None:
    tokens, backend = Tokens(), Guarded(refuse(1, 2))
    with (
        answering(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
        pytest.raises(StatusError) as caught,
    ):
        call(client)
    assert caught.value.status == 401
    assert backend.tokens == [1, 2]
    check_both_hidden(caught.value)


@calls
def test_under_hardened_the_same_request_is_sent_again(
    call: Callable[[ArkorClient], object],
) -> None:
    tokens, backend = Tokens(), Guarded(refuse(1))
    with (
        answering(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
    ):
        call(client)
    assert backend.tokens[:2] == [1, 2]
    assert backend.asked[0].line == backend.asked[1].line
    assert backend.asked[0].body == backend.asked[1].body


@pytest.mark.parametrize("profile", [PROFILE_2026_05, PROFILE_2026_07])
def test_the_published_revisions_do_not_refresh(profile: Profile) -> None:
    tokens, backend = Tokens(), Guarded(refuse(1, 2, 3))
    with (
        answering(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=profile, max_attempts=0) as client,
    ):
        for name in ("start", "wait", "me"):
            with pytest.raises((StatusError, GaveUp), match="not "):
                CALLS[name](client)
    assert backend.tokens == [1, 2, 3]


def test_a_refused_request_goes_over_a_new_connection_even_if_one_is_idle() -> None:
    tokens, backend = Tokens(), Guarded(refuse(2))
    with (
        answering(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
    ):
        client.me()
        client.me()
        assert peer.visits == 2
    assert backend.tokens == [1, 2, 3]


@calls
@pytest.mark.parametrize(("returned", "kind", "words"), NOT_TOKENS)
def test_what_is_not_a_token_ends_the_call_and_is_not_shown(
    call: Callable[[ArkorClient], object], returned: str, kind: type[Exception], words: str
) -> None:
    backend = Guarded()
    with answering(backend.handle) as peer:
        with (
            client_of(peer.base_url, token=lambda: returned, profile=HARDENED) as client,
            pytest.raises(kind, match=words) as caught,
        ):
            call(client)
        assert peer.visits == 0
    assert "tok-" not in str(caught.value)
    assert "tok with" not in str(caught.value)


async def later() -> str:
    """Return a token too late."""
    return token(1)


def test_an_async_provider_is_refused_at_once() -> None:
    with pytest.raises(
        TypeError,
        match=r"^token: the blocking client cannot run an async function.*transports\.anyio",
    ):
        client_of("http://127.0.0.1:9", token=later)  # type: ignore[arg-type]  # what is tested


@calls
def test_a_provider_that_turns_out_to_be_async_ends_the_call(
    call: Callable[[ArkorClient], object],
) -> None:
    provider: Callable[[], object] = lambda: later()  # noqa: E731, PLW0108 - it hides what it calls
    client = client_of("http://127.0.0.1:9", token=provider)  # type: ignore[arg-type]  # the same
    with (
        client,
        pytest.raises(TypeError, match=r"^token: the blocking client cannot run an async function"),
    ):
        call(client)


@calls
def test_what_a_provider_raises_ends_the_call_unchanged(
    call: Callable[[ArkorClient], object],
) -> None:
    error = LookupError("no such account")
    tokens = Tokens({1: error})
    with answering(Guarded().handle) as peer:
        with (
            client_of(peer.base_url, token=tokens, max_attempts=5) as client,
            pytest.raises(LookupError) as caught,
        ):
            call(client)
        assert peer.visits == 0
    assert caught.value is error


@pytest.mark.parametrize("kind", [OSError, TransportError])
def test_a_provider_that_the_network_fails_is_a_failed_attempt(kind: type[Exception]) -> None:
    error = kind("the token endpoint is down")
    tokens, notices = Tokens({3: error, 4: error}), list[Reconnecting]()
    with answering(Guarded().handle) as peer, client_of(peer.base_url, token=tokens) as client:
        result = trainer_of(client, Callbacks(on_reconnect=notices.append)).wait()
    assert result.job.status == "completed"
    assert [each.cause is error for each in notices] == [False, True, True]
    assert [each.failures for each in notices] == [1, 2, 3]


def test_a_provider_that_exits_its_thread_ends_the_trainer() -> None:
    def provider() -> str:
        raise SystemExit

    with client_of(refused(), token=provider) as client:
        with pytest.raises(TransportError, match=r"^trainer: stopped by SystemExit"):
            client.attach("job-1").wait()
        with pytest.raises(SystemExit):
            client.me()


def test_a_provider_that_fails_after_a_401_ends_the_call() -> None:
    tokens, backend = Tokens({2: LookupError("no such account")}), Guarded(refuse(1))
    with (
        answering(backend.handle) as peer,
        client_of(peer.base_url, token=tokens, profile=HARDENED) as client,
        pytest.raises(LookupError),
    ):
        client.attach("job-1").wait()
    assert len(backend.asked) == 1


@pytest.mark.parametrize("name", ["start", "cancel", "me"])
def test_a_slow_provider_is_a_failed_attempt(slow: Slow, name: str) -> None:
    limits = Timeouts(token=0.01)
    with (
        client_of(refused(), token=slow, clock=MonotonicClock(), timeouts=limits) as client,
        pytest.raises(NotConnected, match=r"^token provider: .* within 0.01 seconds$"),
    ):
        CALLS[name](client)
    assert not slow.returns.is_set()


def test_a_call_waits_for_a_provider_no_longer_than_for_its_answer(slow: Slow) -> None:
    limits = Timeouts(answer=0.01)
    with (
        client_of(refused(), token=slow, clock=MonotonicClock(), timeouts=limits) as client,
        pytest.raises(TransportError, match=r"^response: not complete after 0.01 seconds$"),
    ):
        client.me()


def test_an_abort_does_not_wait_for_a_provider(slow: Slow) -> None:
    with client_of(refused(), token=slow) as client, threads() as run:
        trainer = client.attach("job-1")
        wait = run(trainer.wait)
        slow.asked.wait(PATIENCE)
        trainer.abort("enough")
        assert isinstance(wait.exception(PATIENCE), Aborted)
        assert not slow.returns.is_set()


@pytest.mark.parametrize("name", ["wait", "me"])
def test_closing_the_client_does_not_wait_for_a_provider(slow: Slow, name: str) -> None:
    with client_of(refused(), token=slow) as client, threads() as run:
        call = run(lambda: CALLS[name](client))
        slow.asked.wait(PATIENCE)
        client.close()
        assert str(call.exception(PATIENCE)) == "the client was closed"
        assert not slow.returns.is_set()


@pytest.mark.parametrize("name", ["start", "wait", "me"])
def test_ctrl_c_does_not_wait_for_a_provider(slow: Slow, name: str) -> None:
    def press() -> None:
        slow.asked.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGINT)

    with client_of(refused(), token=slow) as client, threads() as run:
        run(press)
        with pytest.raises(KeyboardInterrupt):
            CALLS[name](client)
        assert not slow.returns.is_set()


def test_the_tokens_of_a_page_and_of_an_inference_are_hidden() -> None:
    with answering(always(PAGE)) as peer:
        for name in ("me", "start"):
            with (
                client_of(peer.base_url, token=Tokens()) as client,
                pytest.raises(ResponseError, match=r'got text/html: "no \*\*\*"$'),
            ):
                CALLS[name](client)
    with (
        answering(always(ERROR)) as peer,
        client_of(peer.base_url, token=Tokens()) as client,
        pytest.raises(ResponseError, match=r"inference: no \*\*\*$"),
    ):
        client.attach("job-1").checkpoint(CheckpointSaved(step=1)).infer(HELLO)
