"""A resolver that takes its time holds up neither an abort nor anything else."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Generator

import pytest
from attrs import define, field

from arkor_proto import Aborted, TransportError
from arkor_proto.transports.blocking import ArkorClient, MonotonicClock, Timeouts
from tests.arkor_proto.blocking.fixtures_blocking import (
    PATIENCE,
    client_of,
    threads,
    trainer_of,
)


@define
class Resolver:
    """A resolver that answers once it is let go."""

    asked: threading.Event = field(factory=threading.Event)
    again: threading.Event = field(factory=threading.Event)
    """Set once it was asked twice."""
    answers: threading.Event = field(factory=threading.Event)

    def look_up(self, *_: object, **__: object) -> list[object]:
        """Take the place of `socket.getaddrinfo`."""
        if self.asked.is_set():
            self.again.set()
        self.asked.set()
        self.answers.wait(PATIENCE)
        raise socket.gaierror(socket.EAI_NONAME, "no such name")


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Generator[Resolver]:
    slow = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", slow.look_up)
    yield slow
    slow.answers.set()


CALLS: dict[str, Callable[[ArkorClient], object]] = {
    "start": lambda client: trainer_of(client).start(),
    "cancel": lambda client: client.attach("j").cancel(),
    "me": lambda client: client.me(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_look_up_does_not_outlast_the_time_to_connect(
    resolver: Resolver, call: Callable[[ArkorClient], object]
) -> None:
    limits = Timeouts(connect=0.05)
    with client_of("http://h", clock=MonotonicClock(), timeouts=limits) as client:
        with pytest.raises(
            TransportError, match=r"^connection: cannot connect to h:80: .* 0.05 seconds"
        ):
            call(client)
        assert not resolver.answers.is_set()


def test_an_abort_does_not_wait_for_a_look_up(resolver: Resolver) -> None:
    with client_of("http://h") as client, threads() as run:
        trainer = client.attach("j")
        wait = run(trainer.wait)
        resolver.asked.wait(PATIENCE)
        trainer.abort("enough")
        assert isinstance(wait.exception(PATIENCE), Aborted)
        assert not resolver.answers.is_set()


def test_closing_the_client_does_not_wait_for_a_look_up(resolver: Resolver) -> None:
    with client_of("http://h") as client, threads() as run:
        wait, call = run(client.attach("j").wait), run(client.me)
        resolver.again.wait(PATIENCE)
        client.close()
        assert str(wait.exception(PATIENCE)) == "the client was closed"
        assert str(call.exception(PATIENCE)) == "the client was closed"
        assert not resolver.answers.is_set()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_ctrl_c_does_not_wait_for_a_look_up(
    resolver: Resolver, call: Callable[[ArkorClient], object]
) -> None:
    def press() -> None:
        resolver.asked.wait(PATIENCE)
        os.kill(os.getpid(), signal.SIGINT)

    with client_of("http://h") as client, threads() as run:
        run(press)
        with pytest.raises(KeyboardInterrupt):
            call(client)
        assert not resolver.answers.is_set()


def test_what_a_resolver_raises_unexpectedly_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> list[object]:
        raise LookupError("the resolver is broken")

    monkeypatch.setattr(socket, "getaddrinfo", broken)
    with client_of("http://h") as client:
        for call in (client.attach("j").wait, trainer_of(client).start, client.me):
            with pytest.raises(LookupError, match="the resolver is broken"):
                call()
