"""An abort ends the local wait at any time and closes the stream; it sends no request."""

import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager

from arkor_proto import Aborted, Timer
from conformance.transport_suite.bench import Bench, Hold, Play, Scene, holds, same
from conformance.transport_suite.check import check
from conformance.transport_suite.clock import VirtualClock
from conformance.transport_suite.look_up import URL, slow_look_up
from conformance.transport_suite.wire import (
    CHUNKED_HEAD,
    accepted,
    after,
    chunk,
    endless,
    log,
    refusal,
    then_closed,
    then_left,
)
from mock_server import MockServer

_NOTHING_PASSES = frozenset[Timer]()


@contextmanager
def _waiting(bench: Bench, scene: Scene) -> Generator[Play, None, None]:
    """Start a wait, abort it at the end of the block, and check that it fails with the reason."""
    with bench.play(scene) as play:
        wait = play.waiting()
        yield play
        play.abort("enough")
        same("reason", wait.error(Aborted).reason, "enough")
        play.all_left()


@check("T10", "ARK-ABT-1", "ARK-ABT-2")
def an_abort_ends_a_connect(bench: Bench) -> None:
    """An abort ends a wait that is still trying to connect."""
    addresses = MockServer().addresses
    try:
        with _waiting(bench, Scene(url=addresses.blackhole_url())):
            pass
    finally:
        addresses.close()


@check("T10", "ARK-ABT-1", "ARK-ABT-2")
def an_abort_ends_a_look_up(bench: Bench) -> None:
    """An abort ends a wait during a name look-up, without waiting for the look-up to finish."""
    with bench.play(Scene(url=URL)) as play, slow_look_up() as began:
        wait = play.waiting()
        holds(
            began.wait(bench.patience),
            "the transport did not look up the name with socket.getaddrinfo",
        )
        play.abort("enough")
        same("reason", wait.error(Aborted).reason, "enough")


@check("T10", "ARK-ABT-2")
def an_abort_ends_a_tls_handshake(bench: Bench) -> None:
    """An abort ends a wait during an unanswered TLS handshake, and closes the connection."""
    context = ssl.create_default_context()
    scene = Scene(scheme="https", ssl_context=context, streams=[then_left()])
    with _waiting(bench, scene) as play:
        play.visited()


@check("T10", "ARK-ABT-1", "ARK-ABT-2")
def an_abort_ends_the_wait_for_a_head(bench: Bench) -> None:
    """An abort ends a wait for the stream's response head, and closes the connection."""
    with _waiting(bench, Scene(streams=[then_left()])) as play:
        play.came("stream")


@check("T10", "ARK-ABT-1", "ARK-ABT-2", "ARK-ABT-4")
def an_abort_ends_a_silent_stream(bench: Bench) -> None:
    """An abort ends a wait on an open stream; the client sends no further request."""
    began = threading.Event()
    scene = Scene(streams=[endless(log(1))], on_event=lambda _, __: began.set())
    with _waiting(bench, scene) as play:
        began.wait(bench.patience)
    same("requests", [each.route for each in play.peer.requests], ["stream"])


@check("T10", "ARK-ABT-8")
def an_abort_ends_a_refusal_that_does_not_end(bench: Bench) -> None:
    """While a refusal's body arrives, an abort makes `wait()` raise Aborted with its reason."""
    slow = refusal(500).replace(b"Content-Length: ", b"Content-Length: 1")
    clock = VirtualClock(_NOTHING_PASSES)
    with _waiting(bench, Scene(streams=[then_left(slow)], clock=clock)) as play:
        play.came("stream")


@check("T10", "ARK-ABT-3")
def an_abort_ends_a_delay(bench: Bench) -> None:
    """An abort ends a wait during a delay, and the stream is not opened again."""
    clock = VirtualClock(_NOTHING_PASSES)
    with _waiting(bench, Scene(streams=[then_closed(refusal(503))], clock=clock)) as play:
        play.backs_off()
    same("opens", len(play.peer.asked("stream")), 1)


@check("T10", "ARK-ABT-1", "ARK-ABT-7")
def an_abort_during_a_callback_ends_the_wait_after_it(bench: Bench) -> None:
    """An abort during a callback lets the callback return, but no other callback runs."""
    hold = Hold()
    stream = then_left(CHUNKED_HEAD, chunk(log(1) + log(2) + log(3)))
    with bench.play(Scene(streams=[stream], on_event=hold)) as play:
        wait = play.waiting()
        hold.began.wait(bench.patience)
        play.abort("enough")
        hold.go_on.set()
        same("reason", wait.error(Aborted).reason, "enough")
        play.all_left()
        same("steps", play.steps, [1])


@check("T10", "ARK-ABT-6")
def an_abort_before_a_wait_rejects_it(bench: Bench) -> None:
    """Every `wait()` after an abort raises Aborted with the abort's reason, without connecting."""
    with bench.play(Scene(job=None)) as play:
        play.abort("early")
        same("first", play.waiting().error(Aborted).reason, "early")
        same("second", play.waiting().error(Aborted).reason, "early")
        same("connections", play.peer.visits, 0)


@check("T10", "ARK-ABT-1", "ARK-ERR-10")
def an_abort_ends_every_wait(bench: Bench) -> None:
    """An abort ends two overlapping waits; both raise Aborted with the abort's reason."""
    with bench.play(Scene(streams=[endless()])) as play:
        waits = [play.waiting(), play.waiting()]
        play.came("stream")
        play.abort("all")
        same("reasons", [each.error(Aborted).reason for each in waits], ["all", "all"])


@check("T10", "ARK-ABT-5", "ARK-ABT-9")
def an_abort_leaves_a_create_alone(bench: Bench) -> None:
    """An abort ends the wait but lets its create finish; `start()` and `cancel()` still work."""
    gate = threading.Event()
    create = after(lambda: gate.wait(bench.patience), accepted())
    with bench.play(Scene(job=None, create=[create])) as play:
        wait = play.waiting()
        play.came("create")
        play.abort("enough")
        wait.error(Aborted)
        gate.set()
        same("id", play.starting().result(), "job-1")
        play.cancelling().result()
        same("requests", [each.route for each in play.peer.requests], ["create", "cancel"])
