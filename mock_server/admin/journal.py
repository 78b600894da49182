"""Serve the journal over HTTP: immediately, by long polling, or as an event stream.

A long journal is sent in pieces, so that other requests are served in between.
"""

import json
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from attrs import define, field

from mock_server.admin.requests import Refusal, number_of, shown_word
from mock_server.backend.answers import Reply, reply_json
from mock_server.faults.response import Head, phrase_of
from mock_server.journal.journal import Journal
from mock_server.journal.records import Record, record_to_dict, size_of, to_jsonl
from mock_server.journal.waiting import next_record
from mock_server.net.origin import Answered, PiecesSource
from mock_server.requests import Request
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame
from mock_server.strict.json import compact

LONGEST_WAIT: Final = 60.0
"""The longest time, in seconds, that one request can wait for a record."""
_MOST_POLLS: Final = 400
_AT_ONCE: Final = 128
_PIECE: Final = 1 << 18
_KINDS: Final = {"json": "application/json", "jsonl": "application/jsonl"}


@define
class Polls:
    """Counts the requests that are waiting for a record, across all servers in a process."""

    waiting: int = field(default=0, init=False)

    @contextmanager
    def one_more(self) -> Generator[None, None, None]:
        """Count a request while it waits; raise Refusal (503) if too many are waiting already."""
        if self.waiting >= _MOST_POLLS:
            raise Refusal(
                503, f"{_MOST_POLLS} requests are already waiting for records; retry later"
            )
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1


async def journal(book: Journal, request: Request, polls: Polls, *, tail: bool) -> Reply | Answered:
    """Return the records: immediately, after waiting for a new one, or as an event stream (`tail`).

    Raise Refusal for invalid parameters, or if too many requests are already waiting.
    """
    after = number_of(request, "after", 0)
    if tail:
        head = Head(200, phrase_of(200), (("Content-Type", "text/event-stream"),))
        return Answered(head, TailSource(book, after))
    if wait := min(number_of(request, "wait", 0) / 1000, LONGEST_WAIT):
        with polls.one_more():
            await _more(book, after, wait)
    return _listed(book, after, request.query.get("format", "json"))


def _listed(book: Journal, after: int, form: str) -> Reply | Answered:
    if form not in _KINDS:
        raise Refusal(400, f"format: {shown_word(form)} is unknown; use json or jsonl")
    headers = (("Content-Type", _KINDS[form]),)
    few = book.after(after, _AT_ONCE + 1)
    if len(few) > _AT_ONCE or sum(map(size_of, few)) > _PIECE:
        pieces = _lines(book, after) if form == "jsonl" else _members(book, after)
        return Answered(Head(200, phrase_of(200), headers), PiecesSource(pieces))
    if form == "jsonl":
        return Reply(200, headers, to_jsonl(few).encode())
    listed = [record_to_dict(record) for record in few]
    return reply_json(200, {"records": listed, **_losses(book)})


def _losses(book: Journal) -> dict[str, object]:
    return {"dropped": book.dropped, "bodies_dropped": book.bodies_dropped}


def _batches(book: Journal, after: int) -> Iterator[list[Record]]:
    """Yield records in batches, up to the one that was the newest when the first batch was read."""
    last = book.records[-1].seq if book.records else 0
    while found := [record for record in book.after(after, _AT_ONCE) if record.seq <= last]:
        size, count = 0, 0
        while count < len(found) and size < _PIECE:
            size += size_of(found[count])
            count += 1
        yield found[:count]
        after = found[count - 1].seq


def _members(book: Journal, after: int) -> Iterator[bytes]:
    yield b'{"records":['
    comma = b""
    for batch in _batches(book, after):
        yield comma + ",".join(compact(record_to_dict(record)) for record in batch).encode()
        comma = b","
    yield b"]," + json.dumps(_losses(book))[1:].encode()


def _lines(book: Journal, after: int) -> Iterator[bytes]:
    for batch in _batches(book, after):
        yield to_jsonl(batch).encode()


async def _more(book: Journal, after: int, seconds: float) -> None:
    """Wait at most `seconds` for a record with a number greater than `after`."""
    if not book.after(after, 1):
        await next_record(book, lambda _: True, seconds)


@define(eq=False)
class TailSource:
    """The journal as an endless event stream: one frame per record, with its number as the id."""

    _book: Journal
    _after: int
    end: Ending = field(default=Ending.EOF, init=False)

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Wait for new records and return at most `limit` of them, as frames."""
        del whole
        while not (records := self._book.after(self._after, limit)):
            await _more(self._book, self._after, math.inf)
        self._after = records[-1].seq
        return [_framed(record) for record in records]

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


def _framed(record: Record) -> Frame:
    data = compact(record_to_dict(record))
    raw = f"id: {record.seq}\nevent: {type(record).__name__}\ndata: {data}\n\n".encode()
    return Frame(raw, str(record.seq), type(record).__name__)
