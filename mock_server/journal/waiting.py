# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""Wait, with a time limit, for a given record to appear in the journal."""

from collections.abc import Callable
from typing import Final

import anyio
from attrs import frozen

from mock_server.journal.journal import Journal
from mock_server.journal.records import (
    ExchangeEnded,
    FrameSent,
    Record,
    RequestReceived,
    ResponseStarted,
)
from mock_server.scenario.vocabulary import MANY, Route
from mock_server.strict.shapes import ScenarioError, Shape, choice, flag, integer
from mock_server.strict.values import milliseconds
from mock_server.strict.words import table, word

PATIENCE: Final = 30.0
"""The default time to wait, in seconds."""
_OfExchange = RequestReceived | ResponseStarted | FrameSent | ExchangeEnded


@frozen(kw_only=True)
class Milestone:
    """A stage of an exchange that a caller waits for; `str()` describes it in error messages."""

    route: Route | None = word(choice(Route), "the kind of request", default=None)
    attempt: int = word(integer(1, MANY), "which request to the route, counting from 1", default=1)
    frame: int | None = word(
        integer(1, MANY), "until the frame with this index (from 1) has been sent", default=None
    )
    answered: bool = word(flag(), "until the head of the response has been sent", default=False)
    ended: bool = word(flag(), "until the exchange has ended", default=False)
    within: float = word(
        milliseconds(), "the maximum time to wait", default=PATIENCE, name="within_ms"
    )

    @property
    def _event(self) -> tuple[type[_OfExchange], str]:
        """The kind of record to wait for, and the words for it that precede the request."""
        if self.ended:
            return ExchangeEnded, "the end of "
        if self.frame is not None:
            return FrameSent, f"frame {self.frame} in the response to "
        if self.answered:
            return ResponseStarted, "the head of the response to "
        return RequestReceived, ""

    def __call__(self, record: Record) -> bool:
        """Return whether a record is the one to wait for."""
        kind, _ = self._event
        if not isinstance(record, kind) or (record.route, record.attempt) != (
            self.route,
            self.attempt,
        ):
            return False
        return not isinstance(record, FrameSent) or record.index == self.frame

    def __str__(self) -> str:
        route = "no route" if self.route is None else self.route.value
        return f"{self._event[1]}request {self.attempt} of {route}"


def _check_milestone(milestone: Milestone, where: str) -> None:
    if milestone.route is None:
        raise ScenarioError(f"{where}: needs a route to wait for, such as route = 'stream'")


MILESTONE: Final[Shape[Milestone]] = table(Milestone, "what to wait for", _check_milestone)


async def awaited(
    journal: Journal, wanted: Callable[[Record], bool], within: float, what: str
) -> Record:
    """Return the first wanted record, past or future; raise TimeoutError after `within` seconds."""
    for record in journal.records:
        if wanted(record):
            return record
    found = await next_record(journal, wanted, within)
    if found is None:
        raise TimeoutError(f"{what} did not arrive within {within:g} s; {_came(journal)}")
    return found


async def next_record(
    journal: Journal, wanted: Callable[[Record], bool], within: float
) -> Record | None:
    """Return the next wanted record, or None if none arrives within `within` seconds."""
    found: list[Record] = []
    event = anyio.Event()

    def look(record: Record) -> None:
        if not found and wanted(record):
            found.append(record)
            event.set()

    stop = journal.listen(look)
    try:
        with anyio.move_on_after(within):
            await event.wait()
    finally:
        stop()
    return found[0] if found else None


def _came(journal: Journal) -> str:
    counts: dict[str, int] = {}
    for record in journal.records:
        if isinstance(record, RequestReceived):
            counts[record.route.value] = counts.get(record.route.value, 0) + 1
    came = ", ".join(f"{count} of {route}" for route, count in counts.items())
    return f"requests received: {came}" if came else "no request arrived"
