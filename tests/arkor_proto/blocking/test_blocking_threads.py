"""One trainer in several threads: joined calls, cancels, aborts, Ctrl-C."""

import os
import signal
import threading
from collections.abc import Callable

import pytest
from attrs import define, field

from arkor_proto import (
    HARDENED,
    PROFILE_2026_07,
    Aborted,
    ArkorError,
    LocalProtocolError,
    Reconnecting,
    TrainingEvent,
    TrainingLog,
    TransportError,
)
from arkor_proto.transports.blocking import Callbacks, Checkpoint, Trainer
from tests.arkor_proto.blocking.fixtures_blocking import (
    PATIENCE,
    VirtualClock,
    client_of,
    hearing,
    serving,
    threads,
    trainer_of,
)

CREATE_HELD = {"on": {"route": "create"}, "stall": {"gate": "create"}}
STREAM_HELD = {"on": {"route": "stream"}, "after": {"frames": 2}, "stall": {"gate": "stream"}}


def interrupt() -> None:
    """Press Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def test_overlapping_starts_share_one_request() -> None:
    with serving(rule=[CREATE_HELD]) as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client)
        with threads() as run:
            starts = [run(trainer.start) for _ in range(8)]
            backend.wait_for("create", answered=True)
            backend.open("create")
            assert {start.result(PATIENCE) for start in starts} == {"job-1"}
        assert len(backend.asked("create")) == 1


def test_overlapping_waits_share_one_stream_and_every_callback_runs_once() -> None:
    heard: list[TrainingEvent | Checkpoint] = []
    with serving(rule=[STREAM_HELD]) as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client, hearing(heard.append))
        with threads() as run:
            waits = [run(trainer.wait) for _ in range(8)]
            backend.wait_for("stream", frame=2)
            backend.open("stream")
            results = [wait.result(PATIENCE) for wait in waits]
        assert len(backend.asked("create")) == len(backend.asked("stream")) == 1
    assert len(heard) == 6
    assert all(result == results[0] for result in results)


def test_callbacks_run_one_at_a_time_in_threads_that_wait() -> None:
    at_once: list[int] = []
    running = threading.Semaphore(1)
    callers: set[int] = set()

    def hear(_: object) -> None:
        callers.add(threading.get_ident())
        if not running.acquire(blocking=False):
            at_once.append(1)
        running.release()

    waiting: set[int] = set()

    with serving(job=[{"events": 200}]) as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client, hearing(hear))

        def wait() -> None:
            waiting.add(threading.get_ident())
            trainer.wait()

        with threads() as run:
            for each in [run(wait) for _ in range(4)]:
                each.result(PATIENCE)
    assert at_once == []
    assert callers <= waiting


def test_a_start_joins_the_wait_of_another_thread_and_returns_before_it() -> None:
    with serving(rule=[CREATE_HELD, STREAM_HELD]) as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client)
        with threads() as run:
            wait = run(trainer.wait)
            backend.wait_for("create", answered=True)
            start = run(trainer.start)
            backend.open("create")
            assert start.result(PATIENCE) == "job-1"
            backend.open("stream")
            wait.result(PATIENCE)
        assert len(backend.asked("create")) == 1


@define(eq=False)
class AbortingClock(VirtualClock):
    """A clock that aborts when `by` asks for the time: after its call, before the session hears."""

    by: int = 0
    abort: Callable[[], None] = print

    def time(self) -> float:
        """Return the virtual time."""
        if threading.get_ident() == self.by:
            self.abort()
        return self.now


def test_an_abort_amid_the_call_of_a_joining_wait_rejects_both_waits() -> None:
    clock = AbortingClock()
    with serving(rule=[STREAM_HELD]) as backend, client_of(backend.base_url, clock=clock) as client:
        trainer = trainer_of(client)
        with threads() as run:
            first = run(trainer.wait)
            backend.wait_for("stream", frame=2)
            clock.by, clock.abort = threading.get_ident(), trainer.abort
            with pytest.raises(Aborted):
                trainer.wait()
            assert type(first.exception(PATIENCE)) is Aborted


def test_an_abort_from_a_notice_is_heard_before_the_delay() -> None:
    trainers: list[Trainer] = []

    def on_reconnect(_: Reconnecting) -> None:
        trainers[0].abort("no more")

    rule = {"on": {"route": "stream"}, "status": 500}
    clock = VirtualClock()
    with serving(rule=[rule]) as backend, client_of(backend.base_url, clock=clock) as client:
        trainers.append(trainer_of(client, Callbacks(on_reconnect=on_reconnect)))
        with pytest.raises(Aborted, match="no more"):
            trainers[0].wait()
    assert clock.delays == []


def test_threads_that_wait_again_after_a_shared_rejection_are_not_aborted() -> None:
    rule = {"on": {"route": "stream"}, "status": 403}
    with (
        serving(rule=[rule]) as backend,
        client_of(backend.base_url, profile=PROFILE_2026_07) as client,
        threads() as run,
    ):
        trainer = trainer_of(client)

        def wait_often() -> set[str]:
            rejections: set[str] = set()
            for _ in range(100):
                with pytest.raises(ArkorError) as caught:
                    trainer.wait()
                rejections.add(type(caught.value).__name__)
            return rejections

        waits = [run(wait_often) for _ in range(3)]
        assert [wait.result(PATIENCE) for wait in waits] == [{"StatusError"}] * 3


@define(eq=False)
class FailingClock(VirtualClock):
    """A clock that fails in the threads of the client once `fails` is set."""

    fails: bool = False
    callers: set[int] = field(factory=set[int])

    def time(self) -> float:
        """Return the virtual time."""
        if self.fails and threading.get_ident() not in self.callers:
            raise LookupError("the clock is broken")
        return self.now


def test_an_unexpected_error_in_the_background_ends_every_wait() -> None:
    clock = FailingClock()
    with (
        serving(rule=[STREAM_HELD]) as backend,
        client_of(backend.base_url, clock=clock) as client,
        threads() as run,
    ):
        trainer = trainer_of(client)

        def wait() -> object:
            clock.callers.add(threading.get_ident())
            return trainer.wait()

        waits = [run(wait) for _ in range(4)]
        backend.wait_for("stream", frame=2)
        clock.fails = True
        backend.open("stream")
        for each in waits:
            assert str(each.exception(PATIENCE)) == "the clock is broken"
        with pytest.raises(LookupError, match="the clock is broken"):
            trainer.wait()


def test_closing_the_client_ends_what_other_threads_wait_for() -> None:
    rules = [STREAM_HELD, {"on": {"route": "me"}, "stall": {"gate": "never"}}]
    with serving(rule=rules) as backend, client_of(backend.base_url) as client, threads() as run:
        wait = run(trainer_of(client).wait)
        call = run(client.me)
        backend.wait_for("stream", frame=2)
        backend.wait_for("me", answered=True)
        client.close()
        for each in (wait, call):
            error = each.exception(PATIENCE)
            assert isinstance(error, TransportError)
            assert str(error) == "the client was closed"


def test_a_wait_from_its_own_callback_is_an_error_and_not_a_deadlock() -> None:
    trainers: list[Trainer] = []
    callbacks = Callbacks(on_started=lambda _: trainers[0].wait())
    with serving() as backend, client_of(backend.base_url, profile=HARDENED) as client:
        trainers.append(trainer_of(client, callbacks))
        with pytest.raises(LocalProtocolError, match="called from one of its own callbacks"):
            trainers[0].wait()


def test_ctrl_c_while_reading_leaves_and_the_next_wait_goes_on() -> None:
    heard: list[TrainingEvent | Checkpoint] = []
    rule = {**STREAM_HELD, "on": {"route": "stream", "attempt": 1}}
    with serving(rule=[rule]) as backend, client_of(backend.base_url) as client:
        two_heard = threading.Semaphore(0)

        def hear(event: TrainingEvent | Checkpoint) -> None:
            heard.append(event)
            two_heard.release()

        trainer = trainer_of(client, hearing(hear))

        def interrupt_behind_two() -> None:
            for _ in range(2):
                two_heard.acquire(timeout=PATIENCE)
            interrupt()

        with threads() as run:
            run(interrupt_behind_two)
            with pytest.raises(KeyboardInterrupt):
                trainer.wait()
        (stream,) = backend.asked("stream")
        assert backend.wait_until_left(stream.connection) == ["client"]
        assert trainer.wait().job.status == "completed"
        assert [each.last_event_id for each in backend.asked("stream")] == [None, "2"]
    assert len(heard) == 6


@pytest.mark.parametrize("call", ["wait", "me"])
def test_a_signal_that_arrives_in_another_thread_ends_a_silent_wait(call: str) -> None:
    rules = [STREAM_HELD, {"on": {"route": "me"}, "stall": {"gate": "stream"}}]
    with serving(rule=rules) as backend, client_of(backend.base_url) as client:

        def interrupt_here() -> None:
            if call == "wait":
                backend.wait_for("stream", frame=2)
            else:
                backend.wait_for("me", answered=True)
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)

        with threads() as run:
            run(interrupt_here)
            with pytest.raises(KeyboardInterrupt):
                _ = trainer_of(client).wait() if call == "wait" else client.me()


def test_ctrl_c_in_a_callback_has_the_next_wait_hear_the_event_again() -> None:
    heard: list[int | None] = []

    def on_log(log: TrainingLog) -> None:
        heard.append(log.step)
        if heard == [1, 2]:
            raise KeyboardInterrupt

    with serving() as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client, Callbacks(on_log=on_log))
        with pytest.raises(KeyboardInterrupt):
            trainer.wait()
        trainer.wait()
        assert len(backend.asked("stream")) == 2
    assert heard == [1, 2, 2, 3]


def test_ctrl_c_during_the_create_loses_no_job() -> None:
    with serving(rule=[CREATE_HELD]) as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client)

        def interrupt_create() -> None:
            backend.wait_for("create", answered=True)
            interrupt()

        with threads() as run:
            run(interrupt_create)
            with pytest.raises(KeyboardInterrupt):
                trainer.start()
        backend.open("create")
        assert trainer.start() == "job-1"
        assert len(backend.asked("create")) == 1


def test_an_event_whose_callback_was_interrupted_is_heard_by_whoever_waits_next() -> None:
    heard: list[tuple[int | None, bool]] = []
    called, joined = threading.Event(), threading.Event()

    def on_log(log: TrainingLog) -> None:
        mine = threading.current_thread() is threading.main_thread()
        heard.append((log.step, mine))
        if mine:
            called.set()
            joined.wait(PATIENCE)
            raise KeyboardInterrupt

    with serving(rule=[STREAM_HELD]) as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client, Callbacks(on_log=on_log))
        with threads() as run:

            def join() -> object:
                called.wait(PATIENCE)
                joined.set()
                return trainer.wait()

            other = run(join)
            with pytest.raises(KeyboardInterrupt):
                trainer.wait()
            backend.open("stream")
            other.result(PATIENCE)
    assert [step for step, _ in heard][:2] == [1, 1]
