"""A closed client leaves nothing behind: no waiting call, no connection, no callback."""

import threading

from arkor_proto import ArkorError, Timer, TransportError
from conformance.transport_suite.bench import Bench, Hold, Scene, holds, same
from conformance.transport_suite.check import check
from conformance.transport_suite.clock import VirtualClock
from conformance.transport_suite.wire import (
    CHUNKED_HEAD,
    chunk,
    endless,
    job,
    log,
    refusal,
    sends,
    then_left,
)
from mock_server import MockServer


@check("T15", "ARK-ERR-10")
def a_close_ends_a_silent_stream(bench: Bench) -> None:
    """A close ends a silent stream: `wait()` raises TransportError and the connection is closed."""
    began = threading.Event()
    scene = Scene(streams=[endless(log(1))], on_event=lambda _, __: began.set())
    with bench.play(scene) as play:
        wait = play.waiting()
        began.wait(bench.patience)
        play.close()
        wait.error(TransportError)
        play.all_left()


@check("T15", "ARK-ERR-10")
def a_close_ends_the_wait_for_a_head(bench: Bench) -> None:
    """A `start()` that waits for a response raises TransportError when the client is closed."""
    with bench.play(Scene(job=None, create=[then_left()])) as play:
        start = play.starting()
        play.came("create")
        play.close()
        start.error(TransportError)
        play.all_left()


@check("T15", "ARK-ERR-10")
def a_close_ends_a_connect(bench: Bench) -> None:
    """A `start()` that is still connecting raises an error when the client is closed."""
    addresses = MockServer().addresses
    try:
        with bench.play(Scene(job=None, url=addresses.blackhole_url())) as play:
            start = play.starting()
            play.close()
            start.error(Exception)
    finally:
        addresses.close()


@check("T15", "ARK-ERR-10")
def a_close_ends_a_delay(bench: Bench) -> None:
    """A close ends a delay: `wait()` raises TransportError, and no stream is opened."""
    clock = VirtualClock(frozenset[Timer]())
    with bench.play(Scene(streams=[sends(refusal(503))], clock=clock)) as play:
        wait = play.waiting()
        play.backs_off()
        play.close()
        wait.error(TransportError)
        same("opens", len(play.peer.asked("stream")), 1)


@check("T15", "ARK-ERR-10")
def a_close_ends_every_call(bench: Bench) -> None:
    """If the client is closed, every call in progress raises an error, not just one of them."""
    with bench.play(Scene(streams=[endless()], cancel=[then_left()])) as play:
        calls = [play.waiting(), play.waiting()]
        cancel = play.cancelling()
        play.came("stream")
        play.came("cancel")
        play.close()
        for each in calls:
            error = each.error(Exception)  # the wait() may have begun after the close
            holds(isinstance(error, TransportError | RuntimeError), f"wait() raised {error!r}")
        cancel.error(TransportError)


@check("T15", "ARK-ERR-10")
def a_close_during_a_callback_is_followed_by_no_other(bench: Bench) -> None:
    """After a close during a callback, no other callback runs; `wait()` raises TransportError."""
    hold = Hold()
    stream = then_left(CHUNKED_HEAD, chunk(log(1) + log(2) + log(3)))
    with bench.play(Scene(streams=[stream], on_event=hold)) as play:
        wait = play.waiting()
        hold.began.wait(bench.patience)
        closing = play.run("close()", play.client.close)
        play.all_left()
        hold.go_on.set()
        closing.result()
        wait.error(TransportError)
        same("steps", play.steps, [1])


@check("T15", "ARK-ERR-10")
def a_closed_client_says_so(bench: Bench) -> None:
    """After a close, `start()` raises an error without connecting; a second close does nothing."""
    with bench.play(Scene(streams=[job(log(1))], job=None)) as play:
        play.close()
        error = play.starting().error(Exception)
        holds(isinstance(error, ArkorError | RuntimeError), f"start() raised {error!r}")
        same("connections", play.peer.visits, 0)
