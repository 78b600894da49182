"""Who can read an event stream here: our clients, and what a user would write without them.

Each reads the stream at a base URL whole and returns how many frames it saw, or bytes if it only
reads. A peer may be absent, and then the types that it would bring are as well.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Final, Protocol, TypeAlias
from urllib.parse import urlsplit

from arkor_proto import HARDENED, PROFILE_2026_05, Profile, TrainingLog
from arkor_proto.transports import blocking
from arkor_proto.transports.anyio import ArkorClient, Callbacks

RAW: Final = "raw reads"
OURS: Final = "arkor-proto"
STRICT: Final = "arkor-proto, hardened"
QUICK: Final = "arkor-proto, json_loads of msgspec or orjson"
NAIVE: Final = "httpx + httpx-sse + json"
TEXTS: Final = "httpx + httpx-sse"
NEWER: Final = "httpx2 + json"
BLOCKING: Final = " (blocking)"

Reader: TypeAlias = Callable[[str], int]
Loads: TypeAlias = Callable[[str], object]


class Event(Protocol):
    """What the events of all peers have."""

    id: str | None
    data: str


async def follow(url: str, profile: Profile = PROFILE_2026_05, loads: Loads | None = None) -> int:
    """Read with our client, each frame to an awaited callback."""
    seen = 0

    async def hear(_: TrainingLog) -> None:
        nonlocal seen
        seen += 1

    async with ArkorClient(url, token="t", profile=profile, json_loads=loads) as client:
        await client.attach("j", callbacks=Callbacks(on_log=hear)).wait()
    return seen


def _follow_blocking(
    url: str, profile: Profile = PROFILE_2026_05, loads: Loads | None = None
) -> int:
    seen = 0

    def hear(_: TrainingLog) -> None:
        nonlocal seen
        seen += 1

    with blocking.ArkorClient(url, token="t", profile=profile, json_loads=loads) as client:
        client.attach("j", callbacks=blocking.Callbacks(on_log=hear)).wait()
    return seen


async def _hear(events: AsyncIterator[Event], decode: Loads) -> int:
    seen = 0

    async def hear(data: object) -> None:
        nonlocal seen
        seen += data is not None

    async for event in events:
        data = decode(event.data)
        if event.id == "end":
            break
        await hear(data)
    return seen


def _hear_blocking(events: Iterator[Event]) -> int:
    seen = 0

    def hear(data: object) -> None:
        nonlocal seen
        seen += data is not None

    for event in events:
        data = json.loads(event.data)
        if event.id == "end":
            break
        hear(data)
    return seen


async def _httpx(url: str, decode: Loads = json.loads) -> int:
    httpx, httpx_sse = import_module("httpx"), import_module("httpx_sse")
    async with (
        httpx.AsyncClient() as client,
        httpx_sse.aconnect_sse(client, "GET", url) as source,
    ):
        return await _hear(source.aiter_sse(), decode)


def _httpx_blocking(url: str) -> int:
    httpx, httpx_sse = import_module("httpx"), import_module("httpx_sse")
    with httpx.Client() as client, httpx_sse.connect_sse(client, "GET", url) as source:
        return _hear_blocking(source.iter_sse())


async def _httpx2(url: str) -> int:
    async with import_module("httpx2").AsyncClient() as client, client.sse(url) as source:
        return await _hear(aiter(source), json.loads)


def _httpx2_blocking(url: str) -> int:
    with import_module("httpx2").Client() as client, client.sse(url) as source:
        return _hear_blocking(iter(source))


async def _raw_reads(url: str) -> int:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    size = 0
    while data := await reader.read(65_536):
        size += len(data)
    writer.close()
    await writer.wait_closed()
    return size


def _on_a_loop(read: Callable[[str], Coroutine[None, None, int]]) -> Reader:
    return lambda url: asyncio.run(read(url))


def quick_loads() -> Loads | None:
    """Return a faster decoder of JSON, if one is installed."""
    if find_spec("msgspec"):
        decode: Loads = import_module("msgspec.json").decode
        return decode
    if find_spec("orjson"):
        loads: Loads = import_module("orjson").loads
        return loads
    return None


def readers() -> dict[str, Reader]:
    """Return who can take part here, by name."""
    found: dict[str, Reader] = {RAW: _on_a_loop(_raw_reads)}
    ours: dict[str, tuple[Profile, Loads | None]] = {
        OURS: (PROFILE_2026_05, None),
        STRICT: (HARDENED, None),
        QUICK: (PROFILE_2026_05, quick_loads()),
    }
    for name, (profile, loads) in ours.items():
        if name != QUICK or loads is not None:
            found[name] = _on_a_loop(partial(follow, profile=profile, loads=loads))
            found[name + BLOCKING] = partial(_follow_blocking, profile=profile, loads=loads)
    if find_spec("httpx") and find_spec("httpx_sse"):
        found[NAIVE] = _on_a_loop(_httpx)
        found[TEXTS] = _on_a_loop(partial(_httpx, decode=str))
        found[NAIVE + BLOCKING] = _httpx_blocking
    if find_spec("httpx2"):
        found[NEWER] = _on_a_loop(_httpx2)
        found[NEWER + BLOCKING] = _httpx2_blocking
    return found
