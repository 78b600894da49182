"""Parsers that cannot be used without their HTTP client; here their responses need no network.

Their clients read a stream line by line from a response. Here the response consists of the chunks,
read as their library would read it. At its end, where they would reconnect, they are stopped.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from functools import partial
from importlib import import_module
from importlib.metadata import version
from types import SimpleNamespace
from typing import Protocol, Self, TypeVar

from tests.benchmarks.peers.parsers import NamedParts, Parser, Row, named

_T = TypeVar("_T")


class _Ended(Exception):
    """The stream is over; raised in place of a new connection."""


class _Message(Protocol):
    """An event of the two libraries that use the names of the browsers' API."""

    @property
    def type(self) -> str | None: ...
    @property
    def data(self) -> str: ...
    @property
    def last_event_id(self) -> str: ...


def _end() -> None:
    raise _Ended


def _until_it_waits(step: Coroutine[object, None, _T]) -> _T:
    """Run a coroutine that never waits, without an event loop."""
    try:
        step.send(None)
    except StopIteration as stopped:
        found: _T = stopped.value
        return found
    raise RuntimeError("the parser waits although it has the whole stream")


def _aiohttp_body(chunks: Iterable[bytes]) -> object:
    """Return the body of an aiohttp response that gets the next chunk instead of waiting for it."""
    streams, protocols = import_module("aiohttp.streams"), import_module("aiohttp.base_protocol")
    loop = asyncio.new_event_loop()
    rest = iter(chunks)

    class Body(streams.StreamReader):  # type: ignore[misc, name-defined] # a class of a module that may be absent
        async def _wait(self, _: str) -> None:
            chunk = next(rest, None)
            if chunk is None:
                self.feed_eof()
            else:
                self.feed_data(chunk)

    class Protocol(protocols.BaseProtocol):  # type: ignore[misc, name-defined] # as above
        def pause_reading(self, **_: object) -> None:
            """Do nothing: there is no transport to pause."""

        resume_reading = pause_reading

    loop.close()
    return Body(Protocol(loop), 2**16, loop=loop)


def _messages(
    name: str, events: Callable[[Iterable[bytes], str], Iterator[_Message]], *, resumes: bool
) -> Parser:
    def read(chunks: Iterable[bytes]) -> None:
        for event in events(chunks, ""):
            _type, _data, _id = event.type, event.data, event.last_event_id

    def rows(chunks: Iterable[bytes], cursor: str) -> list[Row]:
        return [(e.type or "message", e.data, e.last_event_id) for e in events(chunks, cursor)]

    return Parser(name, version(name), read, rows, resumes=resumes)


def aiohttp_sse_client() -> Parser:
    """Return the parser of aiohttp-sse-client."""
    module = import_module("aiohttp_sse_client.client")

    def events(chunks: Iterable[bytes], _cursor: str) -> Iterator[_Message]:
        source = module.EventSource("http://localhost", session=object(), on_error=_end)
        source._response = SimpleNamespace(status=200, content=_aiohttp_body(chunks))  # noqa: SLF001 - it has no public parser
        while True:
            try:
                yield _until_it_waits(source.__anext__())
            except _Ended:
                return

    return _messages("aiohttp-sse-client", events, resumes=False)


def requests_sse() -> Parser:
    """Return the parser of requests-sse."""
    module, requests = import_module("requests_sse"), import_module("requests")

    def events(chunks: Iterable[bytes], cursor: str) -> Iterator[_Message]:
        response = requests.Response()
        response.status_code = 200
        response.raw = _Raw(chunks)
        source = module.EventSource("http://localhost", on_error=_end, latest_event_id=cursor)
        source._response, source._data_generator = response, response.iter_lines()  # noqa: SLF001 - it has no public parser
        while True:
            try:
                yield next(source)
            except _Ended:
                return

    return _messages("requests-sse", events, resumes=True)


def aiosseclient() -> Parser:
    """Return the parser of aiosseclient."""
    module = import_module("aiosseclient")

    def events(chunks: Iterable[bytes]) -> Iterator[NamedParts]:
        response = SimpleNamespace(status=200, content=_aiohttp_body(chunks), close=lambda: None)
        network = SimpleNamespace(ClientTimeout=dict, ClientSession=partial(_Session, response))
        vars(module)["aiohttp"] = network
        found: AsyncGenerator[NamedParts, None] = module.aiosseclient("http://localhost")
        while True:
            try:
                yield _until_it_waits(found.asend(None))
            except StopAsyncIteration:
                return

    return named("aiosseclient", events)


class _Raw:
    """The part of a urllib3 response that requests uses."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def stream(self, _size: int, *, decode_content: bool) -> Iterator[bytes]:
        assert decode_content, "requests always sets this"
        return iter(self._chunks)


class _Session:
    """The part of an aiohttp session that aiosseclient uses."""

    closed = True

    def __init__(self, response: object, timeout: object) -> None:
        self._response = response
        self.timeout = timeout

    async def get(self, _url: str, **_options: object) -> object:
        return self._response

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass
