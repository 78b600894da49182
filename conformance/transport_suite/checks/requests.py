"""Requests are sent once and unchanged, and their responses are reported in full."""

import json
import threading

from arkor_proto import (
    PROFILE_2026_07,
    ResponseError,
    Send,
    Start,
    StatusError,
    TransportError,
)
from conformance.transport_suite.bench import Bench, Scene, same
from conformance.transport_suite.check import check
from conformance.transport_suite.peer import Visit
from conformance.transport_suite.wire import (
    accepted,
    endless,
    job,
    log,
    refusal,
    sends,
    then_closed,
    then_left,
    then_reset,
    whole,
)


@check("T2", "ARK-CRE-1")
def a_create_is_sent_as_the_core_made_it(bench: Bench) -> None:
    """The method, the target, the headers and the body of a request arrive unchanged."""
    with bench.play(Scene(job=None)) as play:
        play.starting().result()
        setup = bench.setup(Scene(job=None), play)
        session = setup.session()
        session.handle(Start(), 0.0)
        send = session.poll()
        assert isinstance(send, Send), (
            "the first thing that the session does after Start must be to send a request"
        )
        (asked,) = play.peer.asked("create")
        same("method", asked.method, send.request.method)
        same("target", asked.target, send.request.target)
        same("body", json.loads(asked.body), json.loads(send.request.body))
        names = {name.decode().lower() for name, _ in send.request.headers}
        same("missing headers", names - {name for name, _ in asked.headers}, set[str]())
        for name in ("authorization", "host", "accept", "accept-encoding", "content-length"):
            wanted = [v.decode() for k, v in send.request.headers if k.decode().lower() == name]
            same(name, [v for k, v in asked.headers if k == name], wanted)


@check("T2", "ARK-CRE-1", "ARK-CRE-2")
def a_start_returns_the_id_and_a_second_one_asks_nothing(bench: Bench) -> None:
    """`start()` returns the accepted job's id; a second call returns it without a request."""
    with bench.play(Scene(job=None)) as play:
        same("first start", play.starting().result(), "job-1")
        same("second start", play.starting().result(), "job-1")
        same("creates", len(play.peer.asked("create")), 1)


@check("T2", "ARK-CRE-4", "ARK-STR-1")
def a_start_opens_no_stream_and_a_wait_does(bench: Bench) -> None:
    """Only `wait()` opens the stream; it submits the job first if `start()` was not called."""
    with bench.play(Scene(job=None)) as play:
        play.starting().result()
        same("streams after start()", len(play.peer.asked("stream")), 0)
        same("status", play.wait().job.status, "completed")
        same("streams after wait()", len(play.peer.asked("stream")), 1)


@check("T2", "ARK-RES-15", "ARK-RES-9")
def a_saved_cursor_is_sent(bench: Bench) -> None:
    """A client that resumes sends the saved cursor unchanged, as Last-Event-ID."""
    cursor = "a, b; 7=é"
    with bench.play(Scene(last_event_id=cursor)) as play:
        play.wait()
        sent = play.peer.asked("stream")[0].header("Last-Event-ID") or ""
        same("Last-Event-ID", sent.encode("latin-1").decode(), cursor)


@check("T2", "ARK-RES-1", "ARK-RES-2")
def a_reopened_stream_carries_the_cursor(bench: Bench) -> None:
    """A new job's first stream request has no Last-Event-ID; the next one has the last event's id."""
    with bench.play(Scene(streams=[whole(log(1), log(2)), job(log(3))])) as play:
        play.wait()
        sent = [each.header("Last-Event-ID") for each in play.peer.asked("stream")]
        same("Last-Event-ID of each stream request", sent, [None, "2"])
        same("steps", play.steps, [1, 2, 3])


@check("T2", "ARK-CRE-1")
def a_large_create_is_sent_whole(bench: Bench) -> None:
    """A request larger than the kernel's buffers arrives in full."""
    with bench.play(Scene(job=None, rows=12)) as play:
        same("id", play.starting().result(), "job-1")
        sent = json.loads(play.peer.asked("create")[0].body)
        same("rows", len(sent["config"]["datasetSource"]["rows"]), 12)


@check("T9", "ARK-CRE-7")
def an_answer_before_the_request_was_read_is_heard(bench: Bench) -> None:
    """A refusal that arrives before the peer has read the request body is reported immediately."""
    heard = threading.Event()

    def refuse(visit: Visit) -> None:
        visit.send(refusal(413, "too large"))
        heard.wait(bench.patience)
        visit.socket.close()

    with bench.play(Scene(job=None, rows=40, early=True, create=[refuse])) as play:
        same("status", play.starting().error(StatusError).status, 413)
        heard.set()


@check("T3", "ARK-CRE-1")
def interim_answers_are_passed_over(bench: Bench) -> None:
    """The transport skips 1xx responses and reports the final response."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with bench.play(Scene(job=None, create=[sends(interim, accepted())])) as play:
        same("id", play.starting().result(), "job-1")


@check("T4", "ARK-CRE-1")
def an_answer_in_single_bytes_is_whole(bench: Bench) -> None:
    """A response that arrives byte by byte, including its head, is read correctly."""

    def slowly(visit: Visit) -> None:
        visit.send_slowly(accepted("job-7"))

    with bench.play(Scene(job=None, create=[slowly])) as play:
        same("id", play.starting().result(), "job-7")


@check("T6", "ARK-CRE-5", "ARK-CRE-7")
def a_refused_start_raises_and_may_be_tried_again(bench: Bench) -> None:
    """If a create is refused, `start()` raises; the next `start()` sends a new create and succeeds."""
    create = [sends(refusal(422, "bad model")), sends(accepted())]
    with bench.play(Scene(job=None, create=create)) as play:
        error = play.starting().error(StatusError)
        same("refusal", (error.status, error.message), (422, "bad model"))
        same("second start", play.starting().result(), "job-1")
        same("creates", len(play.peer.asked("create")), 2)


@check("T3", "ARK-CRE-6", "ARK-CRE-7")
def a_create_that_was_reset_is_not_repeated(bench: Bench) -> None:
    """A reset before the response makes `start()` raise TransportError; the create is not resent."""
    with bench.play(Scene(job=None, create=[then_reset])) as play:
        play.starting().error(TransportError)
        same("creates", len(play.peer.asked("create")), 1)


@check("T3", "ARK-CRE-6", "ARK-CRE-7")
def a_create_that_was_not_answered_is_not_repeated(bench: Bench) -> None:
    """If `start()` gets no response, it raises TransportError; the create is not resent."""
    with bench.play(Scene(job=None, create=[then_closed()])) as play:
        play.starting().error(TransportError)
        same("creates", len(play.peer.asked("create")), 1)


@check("T3", "ARK-CRE-7")
def a_cut_answer_is_not_an_answer(bench: Bench) -> None:
    """If a body is shorter than its Content-Length, `start()` fails, even if the body can be parsed."""
    cut = accepted().replace(b"Content-Length: ", b"Content-Length: 1")
    with bench.play(Scene(job=None, create=[then_closed(cut)])) as play:
        play.starting().error(TransportError)


@check("T3", "ARK-CRE-7")
def what_is_not_http_is_a_broken_exchange(bench: Bench) -> None:
    """If the response is not HTTP/1.1, `start()` raises TransportError."""
    with bench.play(Scene(job=None, create=[then_left(b"SSH-2.0-x\r\n\r\n")])) as play:
        play.starting().error(TransportError)
        play.all_left()


@check("T2", "ARK-SEC-3")
def a_redirect_of_a_create_is_not_followed(bench: Bench) -> None:
    """The transport reports a redirect without following it; the core decides what to do."""
    away = refusal(307, "elsewhere", "Location: /v1/jobs?again=1")
    with bench.play(Scene(job=None, create=[sends(away)])) as play:
        same("status", play.starting().error(ResponseError).__dict__.get("status"), 307)
        same("creates", len(play.peer.asked("create")), 1)


@check("T2", "ARK-CAN-2", "ARK-CAN-4")
def a_cancel_is_sent_and_its_refusal_raised(bench: Bench) -> None:
    """`cancel()` sends one request; if it is refused, the error contains the backend's message."""
    scene = Scene(
        cancel=[sends(refusal(409, "it is over"))], streams=[endless()], profile=PROFILE_2026_07
    )
    with bench.play(scene) as play:
        error = play.cancelling().error(StatusError)
        same("refusal", (error.status, error.message), (409, "it is over"))
        same("cancels", len(play.peer.asked("cancel")), 1)
