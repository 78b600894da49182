"""Backends that break HTTP, or bend it, on asyncio and on trio."""

import pytest

from arkor_proto import GaveUp, ResponseError, StatusError, TransportError
from tests.arkor_proto.transports.fixtures_anyio import client_of, trainer_of
from tests.arkor_proto.transports.peer import (
    LAST_CHUNK,
    STREAM_HEAD,
    Asked,
    Visit,
    chunk,
    json_answer,
    listening,
    refusal,
)
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    TOKEN,
    frame,
    job_answer,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

OK = "HTTP/1.1 200 OK\r\n"
END = frame(COMPLETED, id="9")


async def what_start_says(answer: bytes) -> str:
    """Return the error of a start that is answered with `answer` and FIN."""

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        with pytest.raises(TransportError) as caught:
            await trainer_of(client).start()
        await peer.all_left()
    return str(caught.value)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            b"",
            "connection: the peer closed the connection before it responded; is it an HTTP server?",
        ),
        (b"SSH-2.0-x\r\n\r\n", "the peer did not send valid HTTP/1.1: illegal status line"),
        (b"HTTP/2 200\r\n\r\n", "the peer did not send valid HTTP/1.1: illegal status line"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "the peer speaks TLS; use https://"),
        (f"{OK}A: {'x' * 70_000}".encode(), "the head of the response is larger than 65536 bytes"),
        (OK.encode() + b"a: b\r\n" * 20_000, "the head of the response is larger than 65536"),
        (
            f"{OK}Content-Length: 3\r\n".encode(),
            "the response was cut off|closed the connection before",
        ),
        (f"{OK}Content-Length: -1\r\n\r\n".encode(), "bad Content-Length"),
        (
            f"{OK}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd".encode(),
            "conflicting Content-Length",
        ),
        (
            f"{OK}Content-Length: 9\r\n\r\nshort".encode(),
            r"cut off: .*received 5 bytes, expected 9",
        ),
        (f"{OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n".encode(), "illegal chunk header"),
        (
            f"{OK}Transfer-Encoding: chunked\r\n\r\n5\r\nab".encode(),
            "cut off: .*incomplete chunked read",
        ),
        (f"{OK}Transfer-Encoding: gzip\r\n\r\n".encode(), "Transfer-Encoding"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", "the peer did not send valid HTTP/1.1"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "the peer closed the connection before it responded"),
    ],
)
async def test_what_is_no_answer_is_said_to_be_none(answer: bytes, said: str) -> None:
    message = await what_start_says(answer)
    assert message.startswith("connection: ")
    with pytest.raises(TransportError, match=said):
        raise TransportError(message)


async def test_an_echo_of_the_request_does_not_bring_the_token_into_the_message() -> None:
    async def backend(visit: Visit) -> None:
        asked = await visit.request()
        await visit.send(f"{OK}{asked.header('Authorization')}\r\n\r\n".encode())

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        with pytest.raises(TransportError, match="illegal header line") as caught:
            await trainer_of(client).start()
    assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_an_http_1_0_answer_without_framing_ends_with_its_connection() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.0 200 OK\r\n\r\n" + job_answer("j"))

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        assert await trainer_of(client).start() == "j"
        await peer.all_left()


async def test_the_answer_to_a_create_that_was_never_read_is_heard() -> None:
    async def backend(visit: Visit) -> None:
        await visit.stream.receive(1)
        await visit.send(refusal(413, b'{"error": "too large"}'))
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        rows = ["x" * 1_000_000] * 40
        dataset = {"type": "blob", "url": "u", "rows": rows}
        with pytest.raises(StatusError, match="413: too large"):
            await client.trainer("big", model="m", dataset=dataset).start()
        await peer.all_left()


async def test_a_refusal_whose_body_is_cut_off_is_still_a_refusal() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\ngo away")

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        with pytest.raises(StatusError, match="403: go away"):
            await client.me()


async def test_a_reset_in_the_middle_of_a_stream_is_a_failure_not_an_end() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD)
        await visit.reset()

    async with listening(backend) as peer, client_of(peer.base_url, max_attempts=0) as client:
        with pytest.raises(GaveUp, match="Connection reset by peer"):
            await client.attach("j").wait()


async def test_a_refused_connection_says_where_and_why() -> None:
    async with listening(Visit.until_left) as peer:
        address = peer.base_url
    where = address.removeprefix("http://")
    async with client_of(address) as client:
        with pytest.raises(
            TransportError, match=f"^connection: cannot connect to {where}: Connection refused"
        ):
            await trainer_of(client).start()


async def test_a_host_that_nobody_knows_is_named() -> None:
    async with client_of("http://nowhere.invalid") as client:
        with pytest.raises(
            TransportError, match=r"^connection: cannot connect to nowhere\.invalid:80: \w+"
        ):
            await client.me()


async def test_a_kept_connection_that_the_server_closed_is_not_noticed() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(json_answer(b'{"user": {}}'))

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        for _ in range(3):
            await client.me()
            await peer.all_left()
    assert peer.visits == 3


async def test_a_kept_connection_that_dies_under_the_next_call_is_not_noticed() -> None:
    lines: list[str] = []

    async def backend(visit: Visit) -> None:
        lines.append((await visit.request()).line)
        await visit.send(json_answer(b'{"user": {}}'))
        if visit.number == 1:
            lines.append((await visit.request()).line)
            await visit.reset()
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        await client.me()
        await client.me()
    assert lines == ["GET /v1/me"] * 3


async def test_short_calls_share_a_connection() -> None:
    async def backend(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.send(json_answer(b'{"user": {}}'))

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        for _ in range(3):
            await client.me()
        assert peer.visits == 1


async def test_bytes_behind_an_answer_are_not_the_answer_to_the_next_call() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        name = b'{"user": {"id": "%d"}}' % visit.number
        await visit.send(json_answer(name) + json_answer(b'{"user": {"id": "poison"}}'))
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        assert [await client.me() for _ in range(2)] == [
            {"user": {"id": "1"}},
            {"user": {"id": "2"}},
        ]


async def test_a_create_never_uses_a_connection_that_may_be_dead() -> None:
    lines: list[tuple[int, str]] = []

    async def backend(visit: Visit) -> None:
        while True:
            asked = await visit.request()
            lines.append((visit.number, asked.line.partition("?")[0]))
            await visit.send(json_answer(job_answer("j")))

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        await client.me()
        await trainer_of(client).start()
    assert lines == [(1, "GET /v1/me"), (2, "POST /v1/jobs")]


async def test_an_answer_that_is_too_large_is_not_kept() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await visit.send(chunk(b" " * 65_536))

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        with pytest.raises(ResponseError, match="larger than 1048576 bytes"):
            await client.me()
        await peer.all_left()


async def follow_redirects(*targets: str) -> list[Asked]:
    """Follow a stream that is redirected to each of `targets` in turn, then ends well."""
    asked: list[Asked] = []

    async def backend(visit: Visit) -> None:
        asked.append(await visit.request())
        if visit.number <= len(targets):
            await visit.send(refusal(307, b"", f"Location: {targets[visit.number - 1]}"))
        else:
            await visit.send(STREAM_HEAD + chunk(END) + LAST_CHUNK)
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url, max_attempts=0) as client:
        await client.attach("j", last_event_id="4").wait()
        await peer.all_left()
    return asked


async def test_five_redirects_are_followed_and_a_sixth_is_a_failure() -> None:
    assert len(await follow_redirects(*(["/again"] * 5))) == 6
    with pytest.raises(GaveUp, match="307"):
        await follow_redirects(*(["/again"] * 6))


async def test_a_redirect_to_another_origin_is_never_followed() -> None:
    other_asked: list[Asked] = []

    async def other(visit: Visit) -> None:
        other_asked.append(await visit.request())

    async with listening(other) as elsewhere:
        with pytest.raises(GaveUp, match="307"):
            await follow_redirects(f"{elsewhere.base_url}/v1/x")
        assert elsewhere.visits == 0
    assert other_asked == []
