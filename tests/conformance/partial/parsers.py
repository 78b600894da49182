"""Parsers of others, for `arkor-conformance parser`: `python -m tests.conformance.partial.parsers NAME`.

Both are iterators over the events of one response. The cursor is what the last event said of it, as
an application would keep it. An event of httpx-sse has the cursor as of it, which it takes to be
empty at the beginning, so that it cannot be resumed; one of sseclient-py has the id of its own block.
"""

import sys
from collections.abc import Generator, Iterable, Iterator, Mapping
from importlib.metadata import version

import httpx
import httpx_sse
import sseclient
from attrs import define

from conformance.drivers.python.parse import Parser, serve


@define
class Counted:
    """Chunks, and the number of the last one that was taken."""

    chunks: Iterator[bytes]
    taken: int = -1

    def each(self) -> Generator[bytes, None, None]:
        """Yield the chunks."""
        for chunk in self.chunks:
            self.taken += 1
            yield chunk


class Body(httpx.SyncByteStream):
    """The body of a response."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks


def with_httpx_sse(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    del bound
    counted = Counted(iter(chunks))
    head = {"Content-Type": "text/event-stream"}
    response = httpx.Response(200, headers=head, stream=Body(counted.each()))
    events: list[Mapping[str, object]] = []
    retry: int | None = None
    for event in httpx_sse.EventSource(response).iter_sse():
        cursor, retry = event.id, event.retry if event.retry is not None else retry
        told = {"type": event.event, "data": event.data, "last_event_id": cursor}
        events.append({**told, "chunk": counted.taken})
    return {"events": events, "last_event_id": cursor, "retry": retry}


def with_sseclient(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    del bound
    counted = Counted(iter(chunks))
    events: list[Mapping[str, object]] = []
    for event in sseclient.SSEClient(counted.each()).events():
        cursor = event.id if event.id is not None else cursor
        told = {"type": event.event, "data": event.data, "last_event_id": cursor}
        events.append({**told, "chunk": counted.taken})
    return {"events": events, "last_event_id": cursor}


PARSERS: Mapping[str, tuple[Parser, tuple[str, ...]]] = {
    "httpx-sse": (with_httpx_sse, ("last_event_id", "retry", "chunk")),
    "sseclient-py": (with_sseclient, ("last_event_id", "resume", "chunk")),
}

if __name__ == "__main__":
    name = sys.argv[1]
    parse, reports = PARSERS[name]
    serve({"impl": name, "version": version(name), "reports": list(reports)}, parse)
