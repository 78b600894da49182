"""The clients that are compared: ours, and what a user would write without them.

Each reads the whole stream at a base URL and returns the number of frames, or of bytes for raw
reads. A peer may not be installed, so its types are not used here.
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
_SILENCE: Final = 30.0
"""The longest silence that a blocking client accepts, in seconds, so that a hang is an error."""

Reader: TypeAlias = Callable[[str], int]
Loads: TypeAlias = Callable[[str], object]


class Event(Protocol):
    """The attributes that the events of all peers have."""

    id: str | None
    data: str


class Message(Protocol):
    """An event of the peers that use the names of the browsers' API."""

    last_event_id: str
    data: str


async def follow(url: str, profile: Profile = PROFILE_2026_05, loads: Loads | None = None) -> int:
    """Read a stream with our client, which awaits a callback for each frame."""
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


async def _with_decoder(module: str, url: str) -> int:
    decoder = import_module(module).SSEDecoder()
    async with (
        import_module("httpx").AsyncClient() as client,
        client.stream("GET", url) as response,
    ):
        return await _hear(decoder.aiter_bytes(response.aiter_bytes()), json.loads)


def _with_decoder_blocking(module: str, url: str) -> int:
    decoder = import_module(module).SSEDecoder()
    with import_module("httpx").Client() as client, client.stream("GET", url) as response:
        return _hear_blocking(decoder.iter_bytes(response.iter_bytes()))


async def _launchdarkly(url: str) -> int:
    package = import_module("ld_eventsource.async_client")
    how = import_module("ld_eventsource.config.async_connect_strategy")
    async with package.AsyncSSEClient(how.AsyncConnectStrategy.http(url)) as client:
        return await _hear(client.events, json.loads)


def _launchdarkly_blocking(url: str) -> int:
    with import_module("ld_eventsource").SSEClient(url) as client:
        return _hear_blocking(iter(client.events))


def _sseclient_py(url: str) -> int:
    with import_module("requests").get(url, stream=True, timeout=_SILENCE) as response:
        return _hear_blocking(import_module("sseclient").SSEClient(response).events())


async def _aiohttp_sse_client(url: str) -> int:
    source = import_module("aiohttp_sse_client.client").EventSource(url)
    async with source:
        return await _hear(_named_otherwise(aiter(source)), json.loads)


async def _named_otherwise(messages: AsyncIterator[Message]) -> AsyncIterator[Event]:
    async for message in messages:
        yield _Renamed(message.last_event_id, message.data)


def _requests_sse(url: str) -> int:
    with import_module("requests_sse").EventSource(url, timeout=_SILENCE) as source:
        return _hear_blocking(_Renamed(each.last_event_id, each.data) for each in source)


class _Renamed:
    __slots__ = ("data", "id")

    def __init__(self, id_: str, data: str) -> None:
        self.id: str | None = id_
        self.data = data


async def _aiosseclient(url: str) -> int:
    events = import_module("aiosseclient").aiosseclient(url)
    try:
        return await _hear(events, json.loads)
    finally:
        await events.aclose()


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
    """Return a faster JSON decoder, None if none is installed."""
    if find_spec("msgspec"):
        decode: Loads = import_module("msgspec.json").decode
        return decode
    if find_spec("orjson"):
        loads: Loads = import_module("orjson").loads
        return loads
    return None


def is_here(modules: tuple[str, ...]) -> bool:
    """Return whether all these modules can be imported."""
    try:
        return all(map(find_spec, modules))
    except ModuleNotFoundError:  # the package of a module is missing
        return False


def readers() -> dict[str, Reader]:
    """Return the clients that are installed, by name."""
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
    for name, (needs, read) in _PEERS.items():
        if is_here(needs):
            found[name] = read
    return found


def left_out() -> list[str]:
    """Return the names of the clients that are not installed."""
    return [name for name, (needs, _) in _PEERS.items() if not is_here(needs)]


_PEERS: Final[dict[str, tuple[tuple[str, ...], Reader]]] = {
    NAIVE: (("httpx", "httpx_sse"), _on_a_loop(_httpx)),
    TEXTS: (("httpx", "httpx_sse"), _on_a_loop(partial(_httpx, decode=str))),
    NAIVE + BLOCKING: (("httpx", "httpx_sse"), _httpx_blocking),
    NEWER: (("httpx2",), _on_a_loop(_httpx2)),
    NEWER + BLOCKING: (("httpx2",), _httpx2_blocking),
    "launchdarkly-eventsource + json": (
        ("ld_eventsource.async_client", "aiohttp"),
        _on_a_loop(_launchdarkly),
    ),
    "launchdarkly-eventsource + json" + BLOCKING: (("ld_eventsource",), _launchdarkly_blocking),
    **{
        f"httpx + {name}'s decoder + json{mode}": (("httpx", name), read)
        for name in ("openai", "anthropic")
        for mode, read in (
            ("", _on_a_loop(partial(_with_decoder, f"{name}._streaming"))),
            (BLOCKING, partial(_with_decoder_blocking, f"{name}._streaming")),
        )
    },
    "aiohttp-sse-client + json": (("aiohttp_sse_client",), _on_a_loop(_aiohttp_sse_client)),
    "aiosseclient + json": (("aiosseclient",), _on_a_loop(_aiosseclient)),
    "requests + sseclient-py + json" + BLOCKING: (("requests", "sseclient"), _sseclient_py),
    "requests-sse + json" + BLOCKING: (("requests_sse",), _requests_sse),
}
"""For each peer's client, the modules that it needs and its reader."""
