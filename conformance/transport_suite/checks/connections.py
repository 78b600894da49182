"""Requests use the right connections, and TLS authenticates the peer."""

import ssl
import threading

import trustme

from arkor_proto import TransportError
from conformance.transport_suite.bench import Bench, Scene, same
from conformance.transport_suite.check import check
from conformance.transport_suite.peer import Visit
from conformance.transport_suite.wire import (
    HEAD,
    accepted,
    answer,
    job,
    log,
    refusal,
    sends,
    then_closed,
)


@check("T13", "ARK-CAN-2")
def bytes_after_an_answer_do_not_answer_the_next_request(bench: Bench) -> None:
    """Bytes that a peer sends after a response are not used as the response to the next request."""
    smuggled = answer(200, b"{}")
    scene = Scene(
        job=None, create=[sends(accepted(), smuggled)], cancel=[sends(answer(200, b"{}"))]
    )
    with bench.play(scene) as play:
        play.starting().result()
        play.cancelling().result()
        same("cancels that arrived", len(play.peer.asked("cancel")), 1)


@check("T13", "ARK-CAN-2")
def a_connection_that_the_peer_closed_is_not_used(bench: Bench) -> None:
    """An idle connection that the peer has closed is not used for the next request."""
    with bench.play(Scene(job=None, create=[then_closed(accepted())])) as play:
        play.starting().result()
        play.all_left()
        play.cancelling().result()
        same("cancels that arrived", len(play.peer.asked("cancel")), 1)


@check("T13", "ARK-CAN-2")
def connection_close_is_kept(bench: Bench) -> None:
    """After a response with `Connection: close`, the next request uses another connection."""
    create = [sends(accepted().replace(b"\r\n", b"\r\nConnection: close\r\n", 1))]
    with bench.play(Scene(job=None, create=create)) as play:
        play.starting().result()
        play.cancelling().result()
        same("connections", play.peer.visits, 2)


@check("T13", "ARK-CAN-2")
def a_request_does_not_wait_for_an_open_stream(bench: Bench) -> None:
    """A request made while a stream is open uses a connection of its own."""
    began = threading.Event()
    gate = threading.Event()

    def script(visit: Visit) -> None:
        visit.send(HEAD + b"Connection: close\r\n\r\n" + log(1))
        gate.wait(bench.patience)
        job()(visit)

    scene = Scene(streams=[script, job()], on_event=lambda _, __: began.set())
    with bench.play(scene) as play:
        wait = play.waiting()
        began.wait(bench.patience)
        play.cancelling().result()
        same("connections", play.peer.visits, 2)
        play.abort("enough")
        wait.error(Exception)
        gate.set()


def _tls(host: str = "localhost") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a TLS context for a server, and one for a client that trusts that server."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(server)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    return server, trusting


def _refuses(bench: Bench, scene: Scene) -> None:
    """Check that `start()` fails before any request is sent."""
    with bench.play(scene) as play:
        play.starting().error(TransportError)
        same("requests that arrived", play.peer.requests, [])
        play.all_left()


@check("T14", "ARK-SEC-9")
def a_job_is_followed_over_tls(bench: Bench) -> None:
    """A job can be followed over TLS if the certificate authority is trusted."""
    server, trusting = _tls()
    with bench.play(Scene(tls=server, ssl_context=trusting, job=None)) as play:
        same("status", play.wait().job.status, "completed")
        play.cancelling().result()


@check("T14", "ARK-SEC-9")
def an_unknown_authority_is_refused(bench: Bench) -> None:
    """By default, a certificate from an unknown authority is refused before a request is sent."""
    server, _ = _tls()
    _refuses(bench, Scene(tls=server, job=None))


@check("T14", "ARK-SEC-9")
def a_certificate_of_another_host_is_refused(bench: Bench) -> None:
    """A certificate whose name does not match the host in the URL is refused."""
    server, trusting = _tls("other.example")
    _refuses(bench, Scene(tls=server, ssl_context=trusting, job=None))


@check("T14", "ARK-BUD-3")
def a_cut_under_tls_is_no_end(bench: Bench) -> None:
    """Over TLS, an unframed body that ends without a close_notify is reported as Broken."""
    server, trusting = _tls()

    def script(visit: Visit) -> None:
        visit.send(HEAD + b"Connection: close\r\n\r\n" + log(1))
        visit.cut()

    scene = Scene(tls=server, ssl_context=trusting, streams=[script, job(log(2))])
    with bench.play(scene) as play:
        play.wait()
        same("reconnects", play.causes, ["TransportError"])
        same("steps", play.steps, [1, 2])


@check("T14", "ARK-BUD-5")
def a_goodbye_under_tls_is_an_end(bench: Bench) -> None:
    """Over TLS, an unframed body that ends with a close_notify is reported as Finished."""
    server, trusting = _tls()

    def script(visit: Visit) -> None:
        visit.send(HEAD + b"Connection: close\r\n\r\n" + log(1))
        visit.say_goodbye()

    scene = Scene(tls=server, ssl_context=trusting, streams=[script, job(log(2))])
    with bench.play(scene) as play:
        play.wait()
        same("reconnects", play.causes, ["clean"])


@check("T14", "ARK-BUD-1")
def a_peer_without_tls_is_broken(bench: Bench) -> None:
    """If a server at an https URL responds in plain HTTP, `start()` raises TransportError."""
    with bench.play(Scene(scheme="https", job=None, greeting=refusal(400))) as play:
        play.starting().error(TransportError)
        play.all_left()
