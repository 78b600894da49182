"""The transport uses a body's framing to tell a complete body from a truncated one."""

import threading
from typing import Final

from arkor_proto import GaveUp
from conformance.transport_suite.bench import Bench, Play, Scene, same
from conformance.transport_suite.check import check
from conformance.transport_suite.peer import Script, Visit
from conformance.transport_suite.wire import (
    CHUNKED_HEAD,
    HEAD,
    chunk,
    job,
    log,
    refusal,
    sends,
    then_closed,
    then_reset,
    whole,
)

_BODY: Final = log(1) + log(2)
_SIZED_HEAD: Final = HEAD + b"Content-Length: %d\r\n\r\n"


def _course(bench: Bench, first: Script) -> Play:
    """Follow a job over two streams; `first` is the backend's script for the first stream."""
    with bench.play(Scene(streams=[first, job(log(3))])) as play:
        play.wait()
        same("steps", play.steps, [1, 2, 3])
        cursors = [each.header("Last-Event-ID") for each in play.peer.asked("stream")]
        same("Last-Event-ID of each stream request", cursors, [None, "2"])
        return play


@check("T3", "ARK-BUD-5", "ARK-BAK-4")
def a_whole_chunked_body_is_a_clean_end(bench: Bench) -> None:
    """A complete chunked body is reported as Finished, not as a failure."""
    same("reconnects", _course(bench, whole(log(1), log(2))).causes, ["clean"])


@check("T3", "ARK-BUD-5", "ARK-BAK-4")
def a_whole_body_by_length_is_a_clean_end(bench: Bench) -> None:
    """A body as long as its Content-Length is reported as Finished, not as a failure."""
    first = sends(_SIZED_HEAD % len(_BODY), _BODY)
    same("reconnects", _course(bench, first).causes, ["clean"])


@check("T3", "ARK-BUD-5")
def a_body_without_framing_ends_with_its_connection(bench: Bench) -> None:
    """Without a Content-Length or chunked encoding, closing the connection ends the body."""
    first = then_closed(HEAD, b"Connection: close\r\n\r\n", _BODY)
    same("reconnects", _course(bench, first).causes, ["clean"])


@check("T3", "ARK-BUD-3", "ARK-RES-13")
def a_body_shorter_than_its_length_is_broken(bench: Bench) -> None:
    """A body shorter than its Content-Length is reported as Broken, never Finished."""
    first = then_closed(_SIZED_HEAD % (len(_BODY) + 1), _BODY)
    same("reconnects", _course(bench, first).causes, ["TransportError"])


@check("T3", "ARK-BUD-3", "ARK-RES-13")
def a_body_cut_within_a_chunk_is_broken(bench: Bench) -> None:
    """If the connection is closed in the middle of a chunk, Broken is reported, not Finished."""
    first = then_closed(CHUNKED_HEAD, chunk(_BODY + b"data: ")[:-4])
    same("reconnects", _course(bench, first).causes, ["TransportError"])


@check("T3", "ARK-BUD-3", "ARK-RES-13")
def a_body_cut_between_chunks_is_broken(bench: Bench) -> None:
    """If the connection is closed before the last chunk, Broken is reported, not Finished."""
    first = then_closed(CHUNKED_HEAD, chunk(_BODY))
    same("reconnects", _course(bench, first).causes, ["TransportError"])


@check("T3", "ARK-BUD-3")
def a_chunk_size_that_is_none_is_broken(bench: Bench) -> None:
    """Complete events are delivered before invalid chunked framing is reported as Broken."""
    first = then_closed(CHUNKED_HEAD, chunk(_BODY), b"xyz\r\n")
    same("reconnects", _course(bench, first).causes, ["TransportError"])


@check("T3", "ARK-BUD-3")
def a_reset_is_broken(bench: Bench) -> None:
    """A connection reset is reported as Broken, even if the body has no framing."""
    both = threading.Event()

    def first(visit: Visit) -> None:
        visit.send(HEAD + b"Connection: close\r\n\r\n" + _BODY)
        both.wait(bench.patience)  # a reset discards what the client has not read yet
        visit.reset()

    def hear(play: Play, _: object) -> None:
        if len(play.heard) == 2:  # noqa: PLR2004 - both events of the first stream
            both.set()

    with bench.play(Scene(streams=[first, job(log(3))], on_event=hear)) as play:
        play.wait()
        same("steps", play.steps, [1, 2, 3])
        same("reconnects", play.causes, ["TransportError"])


@check("T3", "ARK-BUD-1", "ARK-BUD-6", "ARK-BUD-7")
def a_stream_that_cannot_be_opened_spends_the_budget(bench: Bench) -> None:
    """A reset before the response is reported as Broken once, and counts as one failure."""
    with bench.play(Scene(streams=[then_reset], max_attempts=3)) as play:
        same("failures", play.waiting().error(GaveUp).attempts, 4)
        same("opens", len(play.peer.asked("stream")), 4)


@check("T3", "ARK-ERR-1", "ARK-BAK-1")
def a_refused_stream_is_an_answer(bench: Bench) -> None:
    """A refused stream request is reported with its status and body, and counts as a failure."""
    with bench.play(Scene(streams=[sends(refusal(503)), job(log(1))])) as play:
        play.wait()
        same("reconnects", play.causes, ["StatusError"])


@check("T2", "ARK-SEC-2")
def a_redirect_of_a_stream_is_reported(bench: Bench) -> None:
    """The core follows a redirect within the same origin, and sends the cursor and token again."""
    away = refusal(307, "there", "Location: /v1/jobs/job-1/events/stream?again=1")
    scene = Scene(streams=[sends(away), job(log(1))], last_event_id="7")
    with bench.play(scene) as play:
        play.wait()
        asked = play.peer.asked("stream")
        same("targets", [each.target.endswith("again=1") for each in asked], [False, True])
        same("cursors", [each.header("Last-Event-ID") for each in asked], ["7", "7"])
        same("tokens", len({each.header("Authorization") for each in asked}), 1)
