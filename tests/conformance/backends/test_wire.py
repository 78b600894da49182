"""One connection to a backend: how an answer begins, goes on and ends."""

import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import anyio
import pytest

from conformance.backends.target import Address, Target
from conformance.backends.wire import (
    BY_CLOSE,
    COMPLETE,
    CUT,
    LEFT,
    NOT_HTTP,
    RESET,
    UNANSWERED,
    Unreachable,
    Unsendable,
    Wire,
)

pytestmark = pytest.mark.timeout(20)
HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"Content-Length: 4\r\n\r\n"


@contextmanager
def server(
    *pieces: bytes, reset: bool = False, stay: bool = False, at_once: bool = False
) -> Generator[Target]:
    """Answer one connection with these bytes once its request has come, then close it."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            got = b""
            while not at_once and b"\r\n\r\n" not in got and (more := connection.recv(4096)):
                got += more
            for each in pieces:
                connection.sendall(each)
            if reset:
                linger = (1).to_bytes(4, "little") + (0).to_bytes(4, "little")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if stay:
                over.wait(10)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        yield Target(address=Address.of(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        over.set()
        thread.join(10)


async def asked(target: Target, method: str = "GET", *more: tuple[str, str]) -> Wire:
    """Connect, and send a request."""
    wire = await Wire.to(target, 5)
    await wire.send(method, "/", [("Host", "x"), *more])
    return wire


async def answered(target: Target, method: str = "GET") -> tuple[Wire, bytes]:
    """Ask and read until the end of the answer."""
    wire = await asked(target, method)
    await wire.head()
    body = b""
    while piece := await wire.body():
        body += piece
    await wire.close()
    return wire, body


ENDS = {
    "whole": ((LENGTH, b"ab", b"cd"), COMPLETE, b"abcd"),
    "chunked": (
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\nab\r\n0\r\n\r\n"),
        COMPLETE,
        b"ab",
    ),
    "short": ((LENGTH, b"ab"), CUT, b"ab"),
    "no last chunk": ((HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",), CUT, b"ab"),
    "close-delimited": ((HEAD + b"\r\n", b"abc"), BY_CLOSE, b"abc"),
    "no answer": ((), UNANSWERED, b""),
    "half a head": ((b"HTTP/1.1 200",), UNANSWERED, b""),
    "not HTTP": ((b"220 ftp.example ready\r\n\r\n",), NOT_HTTP, b""),
    "TLS alert": ((b"\x15\x03\x01\x00\x02\x02\x46",), NOT_HTTP, b""),
    "bad chunk": ((HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",), NOT_HTTP, b""),
}


@pytest.mark.parametrize("name", ENDS)
def test_how_an_answer_ended_is_told(name: str) -> None:
    pieces, ended, body = ENDS[name]
    with server(*pieces) as target:
        wire, got = anyio.run(answered, target)
    assert (wire.ended, got) == (ended, body)


def test_a_reset_is_not_the_end_of_a_body() -> None:
    with server(LENGTH, reset=True) as target:
        wire, _ = anyio.run(answered, target)
    assert wire.ended in {RESET, CUT}


def test_interim_answers_are_not_the_answer() -> None:
    with server(b"HTTP/1.1 103 Early Hints\r\n\r\n", LENGTH + b"abcd") as target:
        wire, body = anyio.run(answered, target)
    assert (wire.interim, wire.status, body) == ([103], 200, b"abcd")


def test_the_answer_to_a_head_has_no_body() -> None:
    with server(LENGTH, stay=True) as target:
        wire, body = anyio.run(answered, target, "HEAD")
    assert (wire.status, wire.ended, body) == (200, COMPLETE, b"")


def test_what_the_kit_leaves_is_not_the_end_of_the_backend() -> None:
    async def leave(target: Target) -> str:
        wire = await asked(target)
        await wire.head()
        await wire.close()
        return wire.ended

    with server(LENGTH, stay=True) as target:
        assert anyio.run(leave, target) == LEFT


def test_a_connection_carries_a_second_request() -> None:
    async def twice(target: Target) -> tuple[bool, bool]:
        wire, _ = await answered(target)
        return wire.again(), wire.status == 0

    with server(LENGTH + b"abcd") as target:
        assert anyio.run(twice, target) == (True, True)
    with server(LENGTH + b"ab") as target:
        assert anyio.run(twice, target) == (False, False)


def test_half_a_connection_can_be_closed() -> None:
    async def half(target: Target) -> tuple[int, str]:
        wire = await asked(target)
        await wire.half_close()
        await wire.head()
        await wire.close()
        return wire.status, wire.problem

    with server(LENGTH + b"abcd") as target:
        assert anyio.run(half, target) == (200, "")


def _refused(run: Callable[[Target], Awaitable[object]], target: Target) -> str:
    with pytest.raises(Unreachable) as caught:
        anyio.run(run, target)
    return str(caught.value)


async def _connect(target: Target) -> None:
    await Wire.to(target, 5)


def test_where_nothing_listens_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    target = Target(address=Address.of(f"http://127.0.0.1:{port}"))
    assert _refused(_connect, target) == f"cannot connect to 127.0.0.1:{port}: Connection refused"


def test_a_server_without_tls_is_named_so() -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n", at_once=True) as plain:
        port, tls = plain.address.port, ssl.create_default_context()
        target = Target(address=Address(host="127.0.0.1", port=port, tls=tls))
        assert "TLS" in _refused(_connect, target)


@pytest.mark.parametrize("value", ["a\0b", "a\nb", " a", "a "])
def test_a_value_that_no_header_can_carry_is_not_sent(value: str) -> None:
    async def send(target: Target) -> None:
        wire = await Wire.to(target, 5)
        try:
            await wire.send("GET", "/", [("Host", "x"), ("Last-Event-ID", value)])
        finally:
            await wire.close()

    with server() as target, pytest.raises(Unsendable):
        anyio.run(send, target)


def test_a_value_beyond_ascii_is_sent_as_it_is() -> None:
    async def send(target: Target) -> int:
        cursor = "käfer-𝄞".encode().decode("latin-1")
        wire = await asked(target, "GET", ("Last-Event-ID", cursor))
        await wire.head()
        await wire.close()
        return wire.status

    with server(LENGTH + b"abcd") as target:
        assert anyio.run(send, target) == 200
