"""The reference driver on a machine where other programs also connect to the backend's port.

Each time a case is opened, another program sends its own requests to the same port, with a made-up
token and job id. No verdict may change because of them. `haunted SCANS` adds as many visits of a port
scanner, which sends bytes that are not a request, or nothing at all.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from itertools import cycle, islice
from typing import Final
from urllib.parse import urlsplit

import anyio

from conformance.drivers.python import translation as to
from conformance.drivers.python.reference import open_client
from conformance.drivers.python.stdio import Client, Desk, serve

REQUESTS: Final = (
    "GET /v1/jobs/job-1/events/stream",
    "GET /v1/jobs/job-1/events/stream",
    "GET /v1/jobs/job-1/events/stream",
    "POST /v1/jobs",
    "POST /v1/jobs/job-1/cancel",
    "GET /",
)
KNOCKS: Final = (
    b"",
    b"\x16\x03\x01\x00\xc5\x01\x00\x00\xc1\x03\x03",  # the beginning of a TLS handshake
    b"\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"HEAD / HTTP/1.0\r\n\r\n",
    b"SSH-2.0-scan\r\n",
    b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
)


@asynccontextmanager
async def _open(desk: Desk) -> AsyncGenerator[Client, None]:
    address = urlsplit(str(desk.config["base_url"]))
    for request in REQUESTS:
        head = (
            f"{request} HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer foreign-token\r\n"
            "Last-Event-ID: 7\r\nContent-Length: 2\r\n\r\n{}"
        )
        async with await anyio.connect_tcp(address.hostname or "", address.port or 0) as stream:
            await stream.send(head.encode())
            assert (await stream.receive()).startswith(b"HTTP/1.1 421 ")
    for knock in islice(cycle(KNOCKS), int(sys.argv[1]) if len(sys.argv) > 1 else 0):
        async with await anyio.connect_tcp(address.hostname or "", address.port or 0) as stream:
            with suppress(anyio.BrokenResourceError):  # refused before everything was sent
                await stream.send(knock)
    async with open_client(desk) as client:
        yield client


if __name__ == "__main__":
    anyio.run(serve, to.HELLO, _open, to.explain)
