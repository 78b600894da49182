"""All callers of an operation get the same outcome, and then its connection is closed."""

import threading

from arkor_proto import PROFILE_2026_07, StatusError
from conformance.transport_suite.bench import SOON, Bench, Hold, Scene, holds, same
from conformance.transport_suite.check import check
from conformance.transport_suite.peer import Visit
from conformance.transport_suite.wire import (
    CHUNKED_HEAD,
    COMPLETED,
    accepted,
    after,
    chunk,
    job,
    log,
    refusal,
)


@check("T8", "ARK-STR-7")
def the_stream_is_closed_after_the_terminal_event(bench: Bench) -> None:
    """The client closes the connection after the terminal event, even if the backend does not."""
    with bench.play(Scene(streams=[job(log(1))])) as play:
        play.wait()
        play.all_left()


@check("T6", "ARK-STR-5")
def a_second_wait_returns_the_same_result(bench: Bench) -> None:
    """A second wait returns the same result, without another request or callback."""
    with bench.play(Scene(streams=[job(log(1))])) as play:
        first, heard = play.wait(), len(play.heard)
        same("second result", play.wait(), first)
        same("events of the second wait", len(play.heard) - heard, 0)
        same("opens", len(play.peer.asked("stream")), 1)


@check("T6", "ARK-STR-6", "ARK-ERR-10")
def waits_that_overlap_share_one_stream(bench: Bench) -> None:
    """Two overlapping waits share one stream and its result; each event is delivered once."""
    hold = Hold()
    with bench.play(Scene(streams=[job(log(1), log(2))], on_event=hold)) as play:
        first = play.waiting()
        hold.began.wait(bench.patience)
        second = play.waiting()
        hold.go_on.set()
        same("results", first.result(), second.result())
        same("steps", play.steps, [1, 2])
        same("opens", len(play.peer.asked("stream")), 1)


@check("T6", "ARK-ERR-10")
def waits_that_overlap_share_a_rejection(bench: Bench) -> None:
    """Two overlapping waits raise the same error, which does not affect the next wait."""
    gate = threading.Event()
    refused = after(lambda: gate.wait(bench.patience), refusal(401, "who are you"))
    scene = Scene(streams=[refused, job(log(1))], profile=PROFILE_2026_07)
    with bench.play(scene) as play:
        first = play.waiting()
        play.came("stream")
        second = play.run("second wait()", play.client.wait)
        Visit.pause(SOON)
        holds(
            not second.is_over(),
            "the second wait() returned before its stream request was answered",
        )
        gate.set()
        same("status", first.error(StatusError).status, 401)
        if second.failed():  # it succeeds if it began after the response
            same("status of the second wait", second.error(StatusError).status, 401)
        same("third wait", play.wait().job.status, "completed")


@check("T6", "ARK-CRE-3")
def a_start_and_a_wait_share_one_create(bench: Bench) -> None:
    """A `wait()` during a create sends no second create; it opens the stream once the first succeeds."""
    gate = threading.Event()
    create = after(lambda: gate.wait(bench.patience), accepted())
    with bench.play(Scene(job=None, create=[create])) as play:
        start = play.starting()
        play.came("create")
        wait = play.waiting()
        gate.set()
        same("id", start.result(), "job-1")
        same("status", wait.result().job.status, "completed")
        same("creates", len(play.peer.asked("create")), 1)


@check("T6", "ARK-CAN-7")
def a_cancel_during_a_create_is_sent_after_it(bench: Bench) -> None:
    """A cancel during a create is sent once the create has succeeded, and both calls return."""
    gate = threading.Event()
    create = after(lambda: gate.wait(bench.patience), accepted())
    with bench.play(Scene(job=None, create=[create])) as play:
        start = play.starting()
        play.came("create")
        cancel = play.cancelling()
        same("cancels sent before the response to the create", len(play.peer.asked("cancel")), 0)
        gate.set()
        start.result()
        cancel.result()
        same("cancels", len(play.peer.asked("cancel")), 1)


@check("T6", "ARK-CAN-6")
def a_cancel_during_a_wait_does_not_end_it(bench: Bench) -> None:
    """A cancel during a wait is sent at once; the wait goes on until the terminal event."""
    gate = threading.Event()

    def script(visit: Visit) -> None:
        visit.send(CHUNKED_HEAD + chunk(log(1)))
        gate.wait(bench.patience)
        visit.send(chunk(COMPLETED))
        visit.until_left()

    with bench.play(Scene(streams=[script])) as play:
        wait = play.waiting()
        play.came("stream")
        play.cancelling().result()
        holds(not wait.is_over(), "the cancel ended wait()")
        gate.set()
        same("status", wait.result().job.status, "completed")


@check("T6", "ARK-CAN-1")
def a_cancel_without_a_job_sends_nothing(bench: Bench) -> None:
    """If no job was started, `cancel()` returns without opening a connection."""
    with bench.play(Scene(job=None)) as play:
        play.cancelling().result()
        same("connections", play.peer.visits, 0)
