"""Iterating over the events of a job in place of callbacks, without `async`."""

import pytest

from arkor_proto import (
    Aborted,
    GaveUp,
    LocalProtocolError,
    TrainingCompleted,
    TrainingEvent,
    TrainingLog,
    TransportError,
)
from arkor_proto.transports.blocking import Callbacks, Trainer
from tests.arkor_proto.blocking.fixtures_blocking import (
    VirtualClock,
    client_of,
    serving,
    trainer_of,
)

DROP = {"on": {"route": "stream", "attempt": 1}, "after": {"frames": 3}, "end": "rst"}
HELD = {"on": {"route": "stream"}, "after": {"frames": 0}, "stall": {"gate": "never"}}


def every(trainer: Trainer) -> list[TrainingEvent]:
    with trainer.events() as events:
        return [*events]


def steps(events: list[TrainingEvent]) -> list[int | None]:
    return [event.step for event in events if isinstance(event, TrainingLog)]


def test_the_events_come_in_order_to_the_end_over_an_outage() -> None:
    with (
        serving(job=[{"events": 8}], rule=[DROP]) as mock,
        client_of(mock.base_url, clock=VirtualClock()) as client,
    ):
        trainer = trainer_of(client)
        with trainer.events() as events:
            heard = [*events]
        assert steps(heard) == [1, 2, 3, 4, 5]
        assert isinstance(heard[-1], TrainingCompleted)
        assert events.result == trainer.wait()


def test_a_callback_is_not_called_for_an_event_that_is_iterated_over() -> None:
    called: list[TrainingEvent] = []
    with serving(job=[{"events": 6}]) as mock, client_of(mock.base_url) as client:
        assert steps(every(trainer_of(client, Callbacks(on_log=called.append)))) == [1, 2, 3]
    assert called == []


def test_the_event_in_hand_is_delivered_again_after_the_block_was_left() -> None:
    with serving(job=[{"events": 7}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        heard: list[TrainingEvent] = []
        with trainer.events() as events:
            for event in events:
                heard.append(event)
                if steps(heard) == [1, 2]:
                    break
        assert steps(every(trainer)) == [2, 3, 4]


def test_what_the_block_raises_loses_no_event() -> None:
    def fail_at_the_first_log(trainer: Trainer) -> None:
        with trainer.events() as events:
            for event in events:
                if isinstance(event, TrainingLog):
                    raise ZeroDivisionError

    with serving(job=[{"events": 6}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        with pytest.raises(ZeroDivisionError):
            fail_at_the_first_log(trainer)
        assert steps(every(trainer)) == [1, 2, 3]


def test_an_abort_ends_the_iteration_with_its_reason() -> None:
    with serving(job=[{"events": 6}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        with trainer.events() as events:
            next(events)
            trainer.abort("enough")
            with pytest.raises(Aborted, match="enough"):
                next(events)


def test_the_iteration_raises_what_wait_raises() -> None:
    with client_of("http://127.0.0.1:9", max_attempts=0) as client, pytest.raises(GaveUp):
        every(client.attach("j"))


def test_waiting_inside_the_iteration_is_refused_instead_of_waiting_for_itself() -> None:
    with serving(job=[{"events": 6}]) as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        with trainer.events() as events:
            next(events)
            with pytest.raises(LocalProtocolError, match="deadlock"):
                trainer.wait()


def test_closing_the_client_ends_the_iteration() -> None:
    with serving(job=[{"events": 6}], rule=[HELD]) as mock:
        with client_of(mock.base_url) as client:
            trainer = trainer_of(client)
            events = trainer.events().__enter__()
            trainer.start()
        with pytest.raises(TransportError, match="closed"):
            next(events)
        events.__exit__(None, None, None)


def test_events_are_entered_once_and_used_inside() -> None:
    with serving(job=[{"events": 4}]) as mock, client_of(mock.base_url) as client:
        events = trainer_of(client).events()
        with pytest.raises(RuntimeError, match="'with'"):
            next(events)
        with events, pytest.raises(RuntimeError, match=r"call events\(\) again"):
            events.__enter__()
