"""Ctrl-C at any moment: the session is whole behind it, and nothing is lost."""

import signal
from types import FrameType

import pytest
from attrs import define

from arkor_proto import TrainingEvent
from arkor_proto.transports.blocking import Callbacks, Checkpoint, Trainer
from tests.arkor_proto.blocking.fixtures_blocking import (
    VirtualClock,
    client_of,
    hearing,
    serving,
    threads,
    trainer_of,
)


@define(eq=False)
class PressingClock(VirtualClock):
    """Presses Ctrl-C when it is asked for the time for the n-th time: amid the driver's work."""

    presses_at: int = 0
    asked: int = 0

    def time(self) -> float:
        """Return the virtual time."""
        self.asked += 1
        if self.asked == self.presses_at:
            signal.raise_signal(signal.SIGINT)
        return self.now


def interruptions(trainer: Trainer) -> int:
    """Wait, again after each interrupt; return how many there were."""
    count = 0
    while True:
        try:
            trainer.wait()
        except KeyboardInterrupt:
            count += 1
        else:
            return count


@pytest.mark.parametrize("moment", range(1, 31))
def test_an_interrupt_amid_the_work_loses_nothing_and_repeats_nothing(moment: int) -> None:
    heard: list[TrainingEvent | Checkpoint] = []
    clock = PressingClock(presses_at=moment)
    rule = {"on": {"route": "stream", "attempt": 1}, "after": {"frames": 3}, "end": "rst"}
    with serving(rule=[rule]) as backend, client_of(backend.base_url, clock=clock) as client:
        try:
            trainer = trainer_of(client, hearing(heard.append))
            count = interruptions(trainer)
        finally:
            clock.presses_at = 0
        assert len(backend.asked("create")) == 1
    assert len(heard) == 6
    assert count == (clock.asked >= moment)


def test_the_handler_of_an_application_is_called_in_a_callback_and_is_back_after_the_wait() -> None:
    seen: list[str] = []

    def own(_: int, __: FrameType | None) -> None:
        seen.append("handler")

    def press(_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        seen.append("callback")

    before = signal.signal(signal.SIGINT, own)
    try:
        with serving() as backend, client_of(backend.base_url) as client:
            trainer_of(client, Callbacks(on_started=press)).wait()
        assert signal.getsignal(signal.SIGINT) is own
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == ["handler", "callback"]


def test_the_handler_of_python_is_back_behind_a_wait() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        trainer_of(client).wait()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_wait_in_another_thread_touches_no_handler() -> None:
    seen: list[object] = []
    look = Callbacks(on_started=lambda _: seen.append(signal.getsignal(signal.SIGINT)))
    with serving() as backend, client_of(backend.base_url) as client, threads() as run:
        run(trainer_of(client, look).wait).result()
    assert seen == [signal.default_int_handler]
