"""Inference with the blocking client: answers that do not end, errors amid them."""

import json
import time

import pytest

from arkor_proto import ResponseError, TransportError
from arkor_proto._calls import chat_request
from arkor_proto.transports.blocking import MonotonicClock, Timeouts
from tests.arkor_proto.blocking.fixtures_blocking import answering, client_of
from tests.arkor_proto.transports.peer import stream_of
from tests.arkor_proto.wire_samples import ENDPOINT, TOKEN, delta, frame

CHAT = chat_request(ENDPOINT, [{"role": "user", "content": "hi"}], job_id="j", step=1)
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("endless", [False, True], ids=["silent", "pings for ever"])
def test_an_answer_that_does_not_end_is_left(*, endless: bool) -> None:
    pieces: list[str] = []

    backend = stream_of(delta("Hel"), again=b": wait\n\n" if endless else b"")

    timeouts = Timeouts(chat=0.1) if endless else Timeouts(chat_silence=0.1)
    said = "not complete after 0.1 seconds" if endless else "nothing received for 0.1 seconds"
    with (
        answering(backend) as peer,
        client_of(peer.base_url, clock=MonotonicClock(), timeouts=timeouts) as client,
        pytest.raises(TransportError, match=said),
    ):
        client.chat(CHAT, pieces.append)
    assert pieces == ["Hel"]


def test_a_slow_application_is_no_silence_of_the_backend() -> None:
    backend = stream_of(delta("Hel"), delta("lo") + DONE)

    def slow(_: str) -> None:
        time.sleep(0.1)

    timeouts = Timeouts(chat_silence=0.05)
    with (
        answering(backend) as peer,
        client_of(peer.base_url, clock=MonotonicClock(), timeouts=timeouts) as client,
    ):
        assert client.chat(CHAT, slow) == "Hello"


def test_what_came_in_the_same_read_as_an_error_is_heard_first() -> None:
    pieces: list[str] = []
    error = frame(json.dumps({"error": {"message": f"out of capacity for {TOKEN}"}}))

    backend = stream_of(delta("Hel") + delta("lo") + error)

    with (
        answering(backend) as peer,
        client_of(peer.base_url) as client,
        pytest.raises(ResponseError, match=r"inference: out of capacity for \*\*\*"),
    ):
        client.chat(CHAT, pieces.append)
    assert pieces == ["Hel", "lo"]
