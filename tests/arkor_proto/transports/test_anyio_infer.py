"""Inference on a checkpoint, and what must never be seen of a token, on asyncio and on trio."""

import json
import logging

import anyio
import pytest

from arkor_proto import PROFILE_2026_07, ResponseError, StatusError, TransportError
from arkor_proto._calls import chat_request
from arkor_proto.transports.anyio import Callbacks, Checkpoint, Timeouts
from tests.arkor_proto.transports.fixtures_anyio import (
    asked,
    client_of,
    serve,
    trainer_of,
)
from tests.arkor_proto.transports.peer import (
    LAST_CHUNK,
    STREAM_HEAD,
    Asked,
    Visit,
    chunk,
    json_answer,
    listening,
    refusal,
    stream_of,
)
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    DATASET_TOKEN,
    ENDPOINT,
    TOKEN,
    delta,
    frame,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

HELLO = [{"role": "user", "content": "hello"}]
DONE = b"data: [DONE]\n\n"
CHAT = chat_request(ENDPOINT, HELLO, job_id="j", step=1)


async def infer(
    answer: bytes, on_delta: list[str] | None = None, *, stays: bool = False
) -> tuple[str, Asked]:
    """Follow a job with one checkpoint and infer from it, answered with `answer` and FIN.

    A backend that `stays` leaves the connection open until the client has closed it.
    """
    said: list[str] = []
    chats: list[Asked] = []

    async def backend(visit: Visit) -> None:
        request = await visit.request()
        if request.line.startswith("POST /v1/inference/chat"):
            chats.append(request)
            await visit.send(answer)
            if stays:
                await visit.until_left()
            return
        events = frame({"type": "checkpoint.saved", "step": 10}, id="1") + frame(COMPLETED, id="2")
        await visit.send(STREAM_HEAD + chunk(events))
        await visit.until_left()

    async def hear(checkpoint: Checkpoint) -> None:
        hear_piece = None if on_delta is None else on_delta.append
        said.append(await checkpoint.infer(HELLO, on_delta=hear_piece, options={"maxTokens": 5}))

    async with (
        listening(backend) as peer,
        client_of(peer.base_url, profile=PROFILE_2026_07) as client,
    ):
        await client.attach("j", callbacks=Callbacks(on_checkpoint=hear)).wait()
    return said[0], chats[0]


async def test_a_streamed_answer_is_heard_piece_by_piece_and_returned_whole() -> None:
    pieces: list[str] = []
    body = chunk(delta("Hel")) + chunk(delta("lo")) + chunk(DONE) + LAST_CHUNK
    text, _ = await infer(STREAM_HEAD + body, pieces)
    assert (text, pieces) == ("Hello", ["Hel", "lo"])


async def test_a_streamed_answer_is_whole_at_its_done_though_the_connection_stays_open() -> None:
    text, _ = await infer(STREAM_HEAD + chunk(delta("Hi")) + chunk(DONE), stays=True)
    assert text == "Hi"


async def test_the_request_names_the_checkpoint_and_carries_the_options() -> None:
    _, request = await infer(STREAM_HEAD + chunk(DONE) + LAST_CHUNK)
    body = json.loads(request.body)
    assert body["adapter"] == {"kind": "checkpoint", "jobId": "j", "step": 10}
    assert body["messages"] == HELLO
    assert body["maxTokens"] == 5


async def test_a_json_answer_is_one_piece() -> None:
    pieces: list[str] = []
    answer = {"choices": [{"message": {"content": "Hello"}}]}
    text, _ = await infer(json_answer(json.dumps(answer).encode()), pieces)
    assert (text, pieces) == ("Hello", ["Hello"])


async def test_a_refused_inference_raises_the_words_of_the_backend() -> None:
    with pytest.raises(StatusError, match="429: busy"):
        await infer(refusal(429, b'{"error": "busy"}'))


async def test_a_truncated_answer_is_no_answer() -> None:
    with pytest.raises(ResponseError, match="ended before"):
        await infer(STREAM_HEAD + chunk(delta("Hel")) + LAST_CHUNK)


async def test_an_answer_of_something_else_is_no_answer() -> None:
    with pytest.raises(ResponseError, match="the response is not JSON"):
        await infer(json_answer(b"<html>"))


async def test_an_asynchronous_on_delta_is_awaited() -> None:
    pieces: list[str] = []

    async def hear_piece(piece: str) -> None:
        await anyio.lowlevel.checkpoint()
        pieces.append(piece)

    async def hear(checkpoint: Checkpoint) -> None:
        await checkpoint.infer(HELLO, on_delta=hear_piece)

    async with serve() as mock, client_of(mock.base_url) as client:
        await trainer_of(client, Callbacks(on_checkpoint=hear)).wait()
        assert len(asked(mock, "chat")) == 1
    assert "".join(pieces).split() == ["Hello", "from", "the", "model."]


async def test_an_error_of_on_delta_is_the_error_of_infer() -> None:
    errors: list[BaseException] = []

    def hear_piece(_: str) -> None:
        raise ZeroDivisionError

    async def hear(checkpoint: Checkpoint) -> None:
        with pytest.raises(ZeroDivisionError) as caught:
            await checkpoint.infer(HELLO, on_delta=hear_piece)
        errors.append(caught.value)

    async with serve() as mock, client_of(mock.base_url) as client:
        await trainer_of(client, Callbacks(on_checkpoint=hear)).wait()
    assert len(errors) == 1


async def test_a_checkpoint_can_be_asked_after_the_wait() -> None:
    kept: list[Checkpoint] = []
    async with serve() as mock, client_of(mock.base_url) as client:
        await trainer_of(client, Callbacks(on_checkpoint=kept.append)).wait()
        assert (await kept[0].infer(HELLO)).startswith("Hello")


async def test_no_token_is_ever_logged_printed_or_raised(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[object] = []
    echo = json.dumps({"error": f"bad {TOKEN} and {DATASET_TOKEN}", "token": TOKEN})
    rules = [
        {"on": {"route": "stream", "attempt": 1}, "status": 503, "body": echo},
        {"on": {"route": "cancel"}, "status": 409, "body": echo},
        {"on": {"route": "me"}, "status": 401, "body": f"who is {TOKEN}?"},
        {"on": {}, "headers": {"X-Echo": TOKEN}},
    ]
    async with serve(rule=rules) as mock, client_of(mock.base_url) as client:
        callbacks = Callbacks(on_reconnect=seen.append, on_notice=seen.append)
        trainer = trainer_of(client, callbacks)
        seen += [client, trainer, await trainer.wait(), trainer.job, client.endpoint]
        with pytest.raises(StatusError) as caught:
            await trainer.cancel()
        with pytest.raises(StatusError) as refused:
            await client.me()
    errors = [caught.value, refused.value]
    seen += [(error, error.args, error.body, error.headers) for error in errors]
    everything = [*map(repr, seen), *map(str, errors), *caplog.messages]
    leaks = [text for text in everything if TOKEN in text or DATASET_TOKEN in text]
    assert leaks == []


@pytest.mark.parametrize("endless", [False, True], ids=["silent", "pings for ever"])
async def test_an_answer_that_does_not_end_is_left(*, endless: bool) -> None:
    pieces: list[str] = []

    backend = stream_of(delta("Hel"), again=b": wait\n\n" if endless else b"")

    timeouts = Timeouts(chat=0.1) if endless else Timeouts(chat_silence=0.1)
    said = "not complete after 0.1 seconds" if endless else "nothing received for 0.1 seconds"
    async with listening(backend) as peer, client_of(peer.base_url, timeouts=timeouts) as client:
        with pytest.raises(TransportError, match=said):
            await client.chat(CHAT, pieces.append)
        await peer.all_left()
    assert pieces == ["Hel"]


async def test_a_slow_application_is_no_silence_of_the_backend() -> None:
    backend = stream_of(delta("Hel"), delta("lo") + DONE)

    async def slow(_: str) -> None:
        await anyio.sleep(0.1)

    timeouts = Timeouts(chat_silence=0.05)
    async with listening(backend) as peer, client_of(peer.base_url, timeouts=timeouts) as client:
        assert await client.chat(CHAT, slow) == "Hello"


async def test_what_came_in_the_same_read_as_an_error_is_heard_first() -> None:
    pieces: list[str] = []
    error = frame(json.dumps({"error": {"message": f"out of capacity for {TOKEN}"}}))

    backend = stream_of(delta("Hel") + delta("lo") + error)

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        with pytest.raises(ResponseError, match=r"inference: out of capacity for \*\*\*"):
            await client.chat(CHAT, pieces.append)
    assert pieces == ["Hel", "lo"]


async def test_a_refusal_names_what_the_backend_says() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(refusal(429, b'{"error": {"message": "slow down", "code": 7}}'))
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        with pytest.raises(StatusError, match=r"^429: slow down$"):
            await client.chat(CHAT, None)
