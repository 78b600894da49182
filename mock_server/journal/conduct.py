"""Check from the journal whether a client follows the rules that can be checked on the wire.

Where the network may have lost bytes, any cursor that the client may have received is accepted.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from attrs import define, field

from arkor_proto import Profile
from mock_server.journal.records import (
    ConnectionClosed,
    ExchangeEnded,
    FrameSent,
    Record,
    RequestReceived,
    ResponseStarted,
)
from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.end import Ending
from mock_server.strict.shapes import count_of

_TERMINAL_TYPES: Final = frozenset({"training.completed", "training.failed"})
_CERTAIN: Final = frozenset({Ending.EOF.value, Ending.FIN.value})
_KEY: Final = "idempotency-key"
_EARLY: Final = 0.005
"""Seconds by which two clocks on one machine may disagree about a delay."""


@define
class _Opening:
    """A request that opens a stream, and its response."""

    request: RequestReceived
    response: ResponseStarted | None = None
    frames: list[FrameSent] = field(factory=list[FrameSent])
    end: ExchangeEnded | None = None
    left: bool = False
    """Whether the client closed with a FIN, which means that it had read everything."""

    @property
    def job(self) -> str | None:
        return self.request.job

    @property
    def status(self) -> int | None:
        return None if self.response is None else self.response.status

    @property
    def terminal(self) -> bool:
        """Whether it is certain that the client received the terminal event of the job."""
        return (self._whole or self.left) and any(
            frame.event == "end" or frame.type in _TERMINAL_TYPES for frame in self.frames
        )

    @property
    def _whole(self) -> bool:
        return self.end is not None and self.end.by == "server" and self.end.how in _CERTAIN

    def cursors(self, before: set[str]) -> set[str]:
        """Return the cursors that a client may hold after this stream; "" means none."""
        ids = [frame.id for frame in self.frames if frame.id is not None]
        if not ids:
            return before
        return {ids[-1]} if self._whole else {*before, *ids}


def _openings(records: Sequence[Record]) -> list[_Opening]:
    found: dict[int, _Opening] = {}
    for record in records:
        if isinstance(record, RequestReceived):
            if record.route is Route.STREAM:
                found[record.attempt] = _Opening(record)
        elif isinstance(record, ResponseStarted | FrameSent | ExchangeEnded):
            opening = found.get(record.attempt) if record.route is Route.STREAM else None
            if opening is not None:
                _fill(opening, record)
        elif isinstance(record, ConnectionClosed) and (record.by, record.how) == ("client", "fin"):
            for opening in found.values():
                opening.left |= opening.request.connection == record.connection
    return list(found.values())


def _fill(opening: _Opening, record: ResponseStarted | FrameSent | ExchangeEnded) -> None:
    if isinstance(record, ResponseStarted):
        opening.response = record
    elif isinstance(record, FrameSent):
        opening.frames.append(record)
    else:
        opening.end = record


def _by_job(records: Sequence[Record]) -> dict[str, list[_Opening]]:
    found: dict[str, list[_Opening]] = {}
    for opening in _openings(records):
        found.setdefault(opening.job or "", []).append(opening)
    return found


def resume_problems(records: Sequence[Record], job: str | None = None) -> list[str]:
    """List the stream requests that send a wrong cursor, or that should send one and do not."""
    found: list[str] = []
    for name, openings in _by_job(records).items():
        if job is None or name == job:
            found += _chain_problems(name, openings)
    return found


def _chain_problems(job: str, openings: list[_Opening]) -> list[str]:
    found: list[str] = []
    possible = {""}
    for opening in openings:
        raw = opening.request.last_event_id
        got = "" if raw is None else raw.encode("latin-1").decode("utf-8", "replace")
        if got not in possible:
            expected = " or ".join(repr(each) if each else "none" for each in sorted(possible))
            found.append(
                f"job {job}: stream {opening.request.attempt} has Last-Event-ID "
                f"{got!r}, expected {expected} (ARK-RES)"
                if got
                else f"job {job}: stream {opening.request.attempt} has no Last-Event-ID, "
                f"expected {expected} (ARK-RES)"
            )
        possible = opening.cursors({got})
    return found


def conduct_problems(
    records: Sequence[Record], profile: Profile, max_attempts: int | None = None
) -> list[str]:
    """List every way in which the client broke the rules of `profile`.

    The list covers wrong cursors, streams opened after the end of a job or after a permanent
    status, delays shorter than Retry-After (if the profile honours it), more consecutive failures
    than `max_attempts`, a create request that repeats a body but not its idempotency key, and
    missing headers.
    """
    found = resume_problems(records)
    for job, openings in _by_job(records).items():
        found += _ended_problems(job, openings, profile)
        if profile.honours_server_delay:
            found += _delay_problems(job, openings)
        if max_attempts is not None:
            found += _budget_problems(job, openings, max_attempts)
    return found + _create_problems(records) + _header_problems(records)


def _in_turn(openings: list[_Opening]) -> Iterator[tuple[_Opening, ExchangeEnded, _Opening]]:
    """Yield each stream that ended before the next was opened, with its end and the next one."""
    for before, after in pairwise(openings):
        if before.end is not None and before.end.seq < after.request.seq:
            yield before, before.end, after


def _ended_problems(job: str, openings: list[_Opening], profile: Profile) -> list[str]:
    found: list[str] = []
    for before, _, after in _in_turn(openings):
        if before.terminal:
            found.append(
                f"job {job}: stream {after.request.attempt} was opened after the end of the job, "
                f"which stream {before.request.attempt} had reported (ARK-STR)"
            )
        elif before.status in profile.permanent_statuses - {404}:
            found.append(
                f"job {job}: stream {after.request.attempt} was opened after status {before.status}, "
                "which is permanent (ARK-ERR)"
            )
    return found


def _delay_problems(job: str, openings: list[_Opening]) -> list[str]:
    return [
        f"job {job}: stream {after.request.attempt} was opened after "
        f"{after.request.at - end.at:.3f} s, "
        f"but Retry-After asked for {asked:g} s (ARK-BAK)"
        for before, end, after in _in_turn(openings)
        if (asked := _seconds(before.response)) is not None
        and after.request.at - end.at < asked - _EARLY
    ]


def _seconds(response: ResponseStarted | None) -> float | None:
    try:
        return float(response.retry_after) if response and response.retry_after else None
    except ValueError:
        return None


def _budget_problems(job: str, openings: list[_Opening], max_attempts: int) -> list[str]:
    failures = 0
    for opening in openings:
        if failures > max_attempts:
            problem = (
                f"job {job}: stream {opening.request.attempt} was opened after "
                f"{count_of(failures, 'consecutive failure')}, but the limit is {max_attempts} "
                "(ARK-BUD)"
            )
            return [problem]
        failures = 0 if opening.frames else failures + 1
    return []


def _create_problems(records: Sequence[Record]) -> list[str]:
    seen: dict[bytes, RequestReceived] = {}
    found: list[str] = []
    for record in records:
        if not isinstance(record, RequestReceived) or record.route is not Route.CREATE:
            continue
        first = seen.setdefault(record.body + repr(record.json).encode(), record)
        key, first_key = _header(record, _KEY), _header(first, _KEY)
        if first is not record and (first_key is None or first_key != key):
            found.append(
                f"create {record.attempt}: repeats the body of create {first.attempt}"
                f"{_without_the_key(key, first_key)}, so the job would be paid for twice (ARK-CRE)"
            )
    return found


def _without_the_key(key: str | None, first: str | None) -> str:
    if key == first:
        return ", but neither has an Idempotency-Key"
    now, before = ("none" if each is None else repr(each) for each in (key, first))
    return f" with another Idempotency-Key ({now}, not {before})"


def _header(request: RequestReceived, name: str) -> str | None:
    return next((value for key, value in request.headers if key == name), None)


def _header_problems(records: Sequence[Record]) -> list[str]:
    found: list[str] = []
    for record in records:
        if not isinstance(record, RequestReceived) or record.route is Route.OTHER:
            continue
        where = f"{record.route.value} {record.attempt}"
        if not record.authorized and record.route is not Route.ANONYMOUS:
            found.append(f"{where}: has no Authorization (ARK-WIR)")
        if _header(record, "x-arkor-client") is None:
            found.append(f"{where}: has no X-Arkor-Client (ARK-WIR)")
        accept = _header(record, "accept") or ""
        if record.route is Route.STREAM and "text/event-stream" not in accept:
            found.append(f"{where}: accepts {accept!r}, not text/event-stream (ARK-WIR)")
    return found
