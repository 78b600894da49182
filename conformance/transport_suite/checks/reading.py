"""Streams are read as they arrive, to the last byte, but not while a callback runs."""

import socket
import threading
from queue import Queue
from typing import Final

from arkor_proto import TrainingLog
from conformance.transport_suite.bench import Bench, Hold, Scene, holds, same
from conformance.transport_suite.check import check
from conformance.transport_suite.peer import Visit
from conformance.transport_suite.wire import (
    CHUNKED_HEAD,
    COMPLETED,
    LAST_CHUNK,
    PING,
    chunk,
    job,
    log,
    then_left,
    whole,
)

_STEPS: Final = list(range(1, 301))
_BUFFERS: Final = 48 * 2**20
"""More bytes than a kernel ever buffers for one connection."""
_STILL: Final = 0.25
"""Seconds without progress after which a backend counts as blocked."""


@check("T4", "ARK-SSE-1")
def one_event_in_many_reads_is_one_event(bench: Bench) -> None:
    """A stream yields the same events whether it arrives byte by byte or in one piece."""

    def slowly(visit: Visit) -> None:
        visit.send_slowly(CHUNKED_HEAD + chunk(log(1, "é€😀") + PING) + chunk(COMPLETED))
        visit.until_left()

    with bench.play(Scene(streams=[slowly])) as play:
        play.wait()
        notes = [each.extra.get("note") for each in play.heard if isinstance(each, TrainingLog)]
        same("notes", notes, ["é€😀"])


@check("T4", "ARK-EVT-1", "ARK-EVT-2")
def many_events_in_one_read_are_all_heard(bench: Bench) -> None:
    """Hundreds of events in one packet are delivered in order, each exactly once."""
    scene = Scene(streams=[then_left(CHUNKED_HEAD, chunk(b"".join(map(log, _STEPS)) + COMPLETED))])
    with bench.play(scene) as play:
        play.wait()
        same("steps", play.steps, _STEPS)


@check("T4", "ARK-EVT-1")
def no_byte_is_lost_between_two_reads(bench: Bench) -> None:
    """A stream that takes many reads arrives in full, wherever each read ends."""
    frames = [log(step, chr(0x20AC) * (2000 + step)) for step in _STEPS]
    with bench.play(Scene(streams=[job(*frames)])) as play:
        play.wait()
        same("steps", play.steps, _STEPS)
        sizes = [len(str(e.extra.get("note"))) for e in play.heard if isinstance(e, TrainingLog)]
        same("lengths of the notes", sizes, [2000 + step for step in _STEPS])


@check("T4", "ARK-EVT-1")
def a_large_event_is_heard_whole(bench: Bench) -> None:
    """An event of 2 MiB that is split into arbitrary chunks is delivered as one event."""
    data = log(1, "y" * 2 * 2**20) + COMPLETED
    chunks = [chunk(data[at : at + 9973]) for at in range(0, len(data), 9973)]
    with bench.play(Scene(streams=[then_left(CHUNKED_HEAD, *chunks)])) as play:
        play.wait()
        sizes = [len(str(e.extra.get("note"))) for e in play.heard if isinstance(e, TrainingLog)]
        same("length of the note", sizes, [2 * 2**20])


@check("T4", "ARK-EVT-1")
def an_event_does_not_wait_for_the_rest_of_its_chunk(bench: Bench) -> None:
    """Data is reported as soon as it arrives, not when a chunk or a buffer is full."""
    heard = threading.Event()
    missing: list[str] = []

    def script(visit: Visit) -> None:
        whole_chunk = chunk(log(1) + b":" + b" " * 100_000 + b"\n")
        visit.send(CHUNKED_HEAD + whole_chunk[: len(log(1)) + 8])
        if not heard.wait(bench.patience):
            missing.append("the event was not delivered before its chunk was complete")
        visit.send(whole_chunk[len(log(1)) + 8 :] + chunk(COMPLETED))
        visit.until_left()

    scene = Scene(streams=[script], on_event=lambda _, __: heard.set())
    with bench.play(scene) as play:
        same("course", [play.waiting().result().job.status, *missing], ["completed"])


@check("T5", "ARK-EVT-3")
def a_slow_callback_slows_the_backend(bench: Bench) -> None:
    """The transport does not read during a callback, so the socket buffers fill up and the backend blocks."""
    hold = Hold()
    moved = Queue[int]()

    def script(visit: Visit) -> None:
        visit.send(CHUNKED_HEAD + chunk(log(1)))
        hold.began.wait(bench.patience)
        moved.put(_send_until_held_up(visit))

    with bench.play(Scene(streams=[script, job()], on_event=hold)) as play:
        wait = play.waiting()
        sent = moved.get(timeout=4 * bench.patience)
        holds(sent < _BUFFERS, f"at least {sent} bytes were read during a callback")
        hold.go_on.set()
        wait.result()


def _send_until_held_up(visit: Visit) -> int:
    """Send comments until the socket blocks; return the number of bytes sent."""
    comment = memoryview(chunk(b": " + b"x" * 65_532 + b"\n\n") * 16)
    sent, offset = 0, 0
    visit.socket.settimeout(_STILL)
    while sent < _BUFFERS:
        try:
            moved = visit.socket.send(comment[offset:])
        except TimeoutError:
            break
        sent, offset = sent + moved, (offset + moved) % len(comment)
    visit.socket.shutdown(socket.SHUT_WR)
    return sent


@check("T5", "ARK-RES-13")
def what_arrives_during_a_callback_is_not_lost(bench: Bench) -> None:
    """Events that arrive while a callback runs are delivered in order when it returns."""
    hold = Hold()

    def script(visit: Visit) -> None:
        visit.send(CHUNKED_HEAD + chunk(log(1)))
        hold.began.wait(bench.patience)
        for step in _STEPS[1:]:
            visit.send(chunk(log(step)))
        hold.go_on.set()
        visit.send(chunk(COMPLETED))
        visit.until_left()

    with bench.play(Scene(streams=[script], on_event=hold)) as play:
        play.wait()
        same("steps", play.steps, _STEPS)


@check("T5", "ARK-RES-13", "ARK-BUD-5")
def an_end_during_a_callback_waits_for_it(bench: Bench) -> None:
    """If a stream ends during a callback, the end is reported after all remaining events."""
    hold = Hold()

    def script(visit: Visit) -> None:
        visit.send(CHUNKED_HEAD + chunk(log(1)))
        hold.began.wait(bench.patience)
        visit.send(chunk(log(2)) + LAST_CHUNK)
        visit.socket.close()
        hold.go_on.set()

    with bench.play(Scene(streams=[script, job(log(3))], on_event=hold)) as play:
        play.wait()
        same("steps", play.steps, [1, 2, 3])
        same("reconnects", play.causes, ["clean"])


@check("T4", "ARK-BUD-4")
def an_empty_stream_is_an_end_without_progress(bench: Bench) -> None:
    """An empty body is reported as Responded and Finished, not as a transport error."""
    with bench.play(Scene(streams=[whole(), job(log(1))])) as play:
        play.wait()
        same("reconnects", play.causes, ["StreamEnded"])
