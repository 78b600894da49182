"""Checks of the delays and deadlines of the session, and of the transport's own timeouts."""

import threading

from attrs import evolve

from arkor_proto import (
    HARDENED,
    ArkorError,
    Reconnecting,
    StatusError,
    Timer,
    TransportError,
)
from conformance.transport_suite.bench import SOON, Bench, Scene, holds, same
from conformance.transport_suite.check import check
from conformance.transport_suite.clock import VirtualClock
from conformance.transport_suite.look_up import URL, slow_look_up
from conformance.transport_suite.peer import Visit
from conformance.transport_suite.wire import (
    CHUNKED_HEAD,
    COMPLETED,
    accepted,
    chunk,
    endless,
    job,
    log,
    refusal,
    sends,
    then_left,
    whole,
)
from mock_server import MockServer


@check("T11", "ARK-BAK-1", "ARK-BAK-15")
def delays_are_those_of_the_session(bench: Bench) -> None:
    """Each reconnect happens exactly at the session's deadline, measured by the client's clock."""
    with bench.play(Scene(streams=[*[sends(refusal(503))] * 4, job(log(1))])) as play:
        play.wait()
        told = [each.delay for each in play.notices if isinstance(each, Reconnecting)]
        same("delays", play.clock.delays(), [1.0, 2.0, 4.0, 8.0])
        same("reported delays", told, [1.0, 2.0, 4.0, 8.0])


@check("T11", "ARK-BAK-4")
def the_delay_after_a_clean_end_is_the_first_one(bench: Bench) -> None:
    """After a clean end, the stream is reopened after the initial delay."""
    with bench.play(Scene(streams=[whole(log(1)), job(log(2))], initial_delay=3.0)) as play:
        play.wait()
        same("delays", play.clock.delays(), [3.0])


@check("T11", "ARK-BAK-11")
def retry_after_is_honoured(bench: Bench) -> None:
    """The session gets the Retry-After header of a response and waits as long as it says."""
    refused = sends(refusal(503, "later", "Retry-After: 17"))
    with bench.play(Scene(streams=[refused, job(log(1))], profile=HARDENED)) as play:
        play.wait()
        same("delays", play.clock.delays(), [17.0])


@check("T11", "ARK-BAK-15")
def the_clock_of_the_system_does_as_well(bench: Bench) -> None:
    """If no clock is given, the transport uses its own."""
    scene = Scene(streams=[whole(log(1)), job(log(2))], clock=None, initial_delay=0.02)
    with bench.play(scene) as play:
        play.wait()
        same("steps", play.steps, [1, 2])


@check("T11", "ARK-IDL-1")
def a_silent_stream_is_reopened(bench: Bench) -> None:
    """When the session's idle timer expires, the stream is closed and reopened."""
    heard = threading.Event()

    def script(visit: Visit) -> None:
        (job(log(2)) if heard.is_set() else endless(log(1)))(visit)

    hasty = evolve(HARDENED, byte_timeout=2 * SOON)
    scene = Scene(
        streams=[script],
        on_event=lambda _, __: heard.set(),
        profile=hasty,
        clock=None,
        initial_delay=0.01,
        max_attempts=None,
    )
    with bench.play(scene) as play:
        play.wait()
        same("reconnects", set(play.causes), {"IdleTimeout"})
        same("cursor", play.peer.asked("stream")[-1].header("Last-Event-ID"), "1")


@check("T11", "ARK-CRE-7")
def a_create_whose_body_does_not_end_is_given_up(bench: Bench) -> None:
    """If a response is incomplete at the session's deadline, `start()` raises and disconnects."""
    endless_answer = accepted().replace(b"Content-Length: ", b"Content-Length: 1")
    clock = VirtualClock(frozenset(Timer))
    scene = Scene(job=None, create=[then_left(endless_answer)], clock=clock)
    with bench.play(scene) as play:
        play.starting().error(TransportError)
        play.all_left()


@check("T11", "ARK-SEC-4")
def a_refusal_whose_body_does_not_end_is_a_refusal(bench: Bench) -> None:
    """A refusal is reported with its status even if its body is not complete by the deadline."""
    slow = refusal(422, "no").replace(b"Content-Length: ", b"Content-Length: 1")
    clock = VirtualClock(frozenset(Timer))
    with bench.play(Scene(job=None, create=[then_left(slow)], clock=clock)) as play:
        same("status", play.starting().error(StatusError).status, 422)
        play.all_left()


@check("T12", "ARK-IDL-7")
def a_connect_has_a_limit(bench: Bench) -> None:
    """A connection that is never established is reported as Broken after the connect timeout."""
    addresses = MockServer().addresses
    try:
        url = addresses.blackhole_url()
        scene = Scene(job=None, url=url, clock=None, connect_timeout=SOON)
        with bench.play(scene) as play:
            play.starting().error(TransportError)
    finally:
        addresses.close()


@check("T12", "ARK-IDL-7")
def a_look_up_has_the_limit_of_the_connect(bench: Bench) -> None:
    """The time spent on the name look-up counts towards the connect timeout."""
    scene = Scene(job=None, url=URL, clock=None, connect_timeout=SOON)
    with bench.play(scene) as play, slow_look_up():
        play.starting().error(TransportError)


@check("T12", "ARK-IDL-7")
def a_tls_handshake_has_the_limit_of_the_connect(bench: Bench) -> None:
    """A TLS handshake that is never answered is reported as Broken after the connect timeout."""
    scene = Scene(job=None, scheme="https", clock=None, connect_timeout=SOON)
    with bench.play(scene) as play:
        play.starting().error(TransportError)
        play.all_left()


@check("T12", "ARK-IDL-7")
def a_head_has_a_limit(bench: Bench) -> None:
    """If the response head is incomplete after the head timeout, Broken is reported."""
    create = [then_left(b"HTTP/1.1 200 OK\r\nContent-")]
    scene = Scene(job=None, create=create, clock=None, head_timeout=SOON)
    with bench.play(scene) as play:
        play.starting().error(TransportError)
        play.all_left()


@check("T12", "ARK-IDL-7")
def interim_answers_do_not_extend_the_limit_of_a_head(bench: Bench) -> None:
    """Endless 1xx responses do not keep an exchange alive beyond the head timeout."""

    def script(visit: Visit) -> None:
        while True:
            visit.send(b"HTTP/1.1 102 Processing\r\n\r\n")
            visit.pause()

    scene = Scene(job=None, create=[script], clock=None, head_timeout=SOON)
    with bench.play(scene) as play:
        play.starting().error(TransportError)
        play.all_left()


@check("T12", "ARK-STR-14", "ARK-IDL-6")
def an_open_stream_has_no_limit(bench: Bench) -> None:
    """The connect and head timeouts do not apply to the body of a stream."""
    limit = 5 * SOON

    def script(visit: Visit) -> None:
        visit.send(CHUNKED_HEAD + chunk(log(1)))
        visit.pause(1.25 * limit)
        visit.send(chunk(log(2) + COMPLETED))
        visit.until_left()

    scene = Scene(
        streams=[script, job(log(2))], clock=None, head_timeout=limit, connect_timeout=limit
    )
    with bench.play(scene) as play:
        play.wait()
        same("reconnects", play.causes, [])


@check("T3", "ARK-BUD-1")
def a_refused_connection_is_broken(bench: Bench) -> None:
    """If the connection is refused, `start()` raises a TransportError that names the address."""
    addresses = MockServer().addresses
    try:
        url = addresses.refused_url()
        with bench.play(Scene(job=None, url=url)) as play:
            error: ArkorError = play.starting().error(TransportError)
            holds(
                url.rpartition("/")[2] in str(error),
                f"the error does not name the address: {error}",
            )
    finally:
        addresses.close()
