"""Turn recorded exchanges into a scenario that replays them, without their secrets.

Every response becomes a rule that matches its attempt and, for a stream, its `Last-Event-ID`. The
same request gets the same bytes at the same pace. The mock's own backend answers all other
requests. It has the events of every recorded job, so a client that resumes from a different event
gets those strictly after that event, or 410 if the event was not recorded.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from attrs import define, evolve, field

from mock_server.faults.response import BodyKind, Head, phrase_of
from mock_server.redaction import redacted_answer, redacted_frame, redacted_text, redacted_value
from mock_server.requests import Request, json_of
from mock_server.scenario.behaviour import UnknownCursor
from mock_server.scenario.frames import render
from mock_server.scenario.model import BackendPlan, JobPlan, Limits, Scenario
from mock_server.scenario.rule import Rule
from mock_server.scenario.vocabulary import Route, ScriptedFrame, Select
from mock_server.scenario.words.end import After, EndFault, Ending, Stall
from mock_server.scenario.words.head import Framing, HeadFault
from mock_server.scenario.words.request import Lost, RequestFault
from mock_server.secret_names import REDACTED, is_secret_name
from mock_server.sse import Frame, fields_of
from mock_server.strict.shapes import is_table
from mock_server.strict.values import MAX_MS, Span

# These belong to one connection or moment; the replay writes its own or leaves them out.
_NOT_KEPT: Final = frozenset({"content-length", "date"})
# For these calls, requests beyond the recorded ones get the last response again.
_ASKED_AGAIN: Final = frozenset({Route.JOB, Route.ME, Route.PROJECTS, Route.OTHER})
_SEVERAL_METHODS: Final = frozenset({Route.PROJECTS, Route.OTHER})
_LENGTH: Final = re.compile(r"[0-9]{1,12}")
_COOKIE: Final = "set-cookie"
_COOKIE_WORDS: Final = frozenset(
    {"expires", "max-age", "domain", "path", "secure", "httponly", "samesite", "partitioned"}
)
_MOST_EARLY: Final = 16
_LONGEST: Final = MAX_MS / 1000
_NOT_IN_TOML: Final = re.compile(r"null|NaN|Infinity|\\u|\de", re.IGNORECASE)
_DEEPEST: Final = 50


@define
class RecordedExchange:
    """A recorded exchange: the request, and the response with its timing."""

    request: Request
    attempt: int
    """The number of the request within its route and job, counted from 1."""
    head: Head | None = None
    """The head of the response; None if the client left before it arrived."""
    early: list[int] = field(factory=list[int])
    """The statuses of the informational responses, such as 103."""
    late: float = 0.0
    """Seconds from the request to the head of the response."""
    body: bytes | None = None
    """The body, if it was passed on whole; otherwise None."""
    frames: list[Frame] = field(factory=list[Frame])
    """The frames or pieces of a streamed body, each with the seconds since the previous one."""
    end: Ending | None = None
    """How the backend ended the response; None if the client left first."""
    silence: float = 0.0
    """Seconds from the last frame to the end of the response."""

    @property
    def is_event_stream(self) -> bool:
        """Whether the response is an uncompressed event stream."""
        return self.head is not None and BodyKind.of(self.head.headers).framed


def replay_of(exchanges: Sequence[RecordedExchange]) -> Scenario:
    """Return a scenario that replays the exchanges."""
    last = {_call(each.request): each for each in exchanges}
    rules = tuple(_rule(each, again=last[_call(each.request)] is each) for each in exchanges)
    pauses = [rule.head.delay for rule in rules]
    pauses += [stall.seconds for rule in rules if (stall := rule.end.stall) is not None]
    pauses += [frame.delay for rule in rules for frame in rule.head.frames or ()]
    return Scenario(
        name="recorded",
        backend=BackendPlan(unknown_cursor=UnknownCursor.GONE),
        limits=Limits(stall_time=max([Limits().stall_time, *pauses])),
        jobs=tuple(_jobs(exchanges)),
        rules=rules,
    )


def _call(request: Request) -> tuple[Route, str | None, str]:
    return request.route, request.job, request.method


def _rule(exchange: RecordedExchange, *, again: bool) -> Rule:
    open_ended = (
        again and exchange.request.route in _ASKED_AGAIN and exchange.request.method == "GET"
    )
    on, head = _select(exchange, None if open_ended else exchange.attempt), exchange.head
    if head is None:
        lost = RequestFault(lose=Lost.REQUEST)
        return Rule(on=on, request=lost, end=EndFault(end=Ending.HANG))
    reason = _text(head.reason)
    fault = HeadFault(
        status=head.status,
        reason=None if reason in {"", phrase_of(head.status)} else reason,
        headers=_headers(head) or None,
        early=tuple(exchange.early[:_MOST_EARLY]),
        content_length=_unsent_length(exchange, head),
        delay=_paced(exchange.late),
    )
    if exchange.body is not None:
        body = redacted_answer(exchange.body, kind_of_answer(head))
        return Rule(on=on, head=_with_body(fault, body))
    stream = exchange.is_event_stream
    pieces = [hidden(frame) for frame in exchange.frames] if stream else joined(exchange)
    head_fault, end_fault = _with_frames(fault, pieces, exchange)
    return Rule(on=on, head=head_fault, end=end_fault)


def hidden(frame: Frame) -> Frame:
    """Return a frame of an event stream with its secrets redacted."""
    return evolve(frame, raw=redacted_frame(frame.raw))


def kind_of_answer(head: Head) -> str:
    """Return the Content-Type of a response, or an empty string."""
    return head.header("content-type") or ""


def _select(exchange: RecordedExchange, last: int | None) -> Select:
    request = exchange.request
    return Select(
        route=request.route,
        job=request.job and redacted_text(request.job),
        attempt=Span(exchange.attempt, last),
        method=request.method if request.route in _SEVERAL_METHODS else None,
        header=_cursor(request) if request.route is Route.STREAM else None,
    )


def _cursor(request: Request) -> Mapping[str, str] | None:
    given = request.header("last-event-id")
    wanted = "!" if given is None else _text(redacted_text(given))
    return None if given in {"*", "!"} else {"Last-Event-ID": wanted}


def kept_fields(head: Head) -> list[tuple[str, str]]:
    """Return the header fields to record, without secrets, in their original order."""
    return [
        (name, _without_value(value) if name.lower() == _COOKIE else redacted_value(name, value))
        for name, value in head.headers
        if name.lower() == _COOKIE or not (name.lower() in _NOT_KEPT or is_secret_name(name))
    ]


def _headers(head: Head) -> dict[str, str | tuple[str, ...]]:
    """Return the header fields to replay, including repeated ones."""
    found: dict[str, tuple[str, list[str]]] = {}
    for name, value in kept_fields(head):
        found.setdefault(name.lower(), (name, []))[1].append(_text(value))
    return {
        name: values[0] if len(values) == 1 else tuple(values) for name, values in found.values()
    }


def _unsent_length(exchange: RecordedExchange, head: Head) -> tuple[int, ...]:
    """Return the Content-Length of a 304 or a response to HEAD, without a body (RFC 9110, 8.6)."""
    if exchange.request.method != "HEAD" and head.status != HTTPStatus.NOT_MODIFIED:
        return ()
    length = head.header("content-length") or ""
    return (int(length),) if _LENGTH.fullmatch(length) else ()


def _without_value(cookie: str) -> str:
    """Return a Set-Cookie value without its secret: keep only the name and the known attributes."""
    pair, *attributes = cookie.split(";")
    name, assigns, _ = pair.partition("=")
    kept = [each for each in attributes if each.partition("=")[0].strip().lower() in _COOKIE_WORDS]
    return ";".join([f"{name}={REDACTED}" if assigns else REDACTED, *kept])


def _with_body(fault: HeadFault, body: bytes) -> HeadFault:
    if body and _is_typed(fault) and _is_text(body):
        return evolve(fault, body=body.decode())
    return evolve(fault, body_hex=body)


def joined(exchange: RecordedExchange) -> list[Frame]:
    """Return the pieces of a body; one redacted piece if they hold a secret (it may span two)."""
    whole = b"".join(frame.raw for frame in exchange.frames)
    kind = "" if exchange.head is None else kind_of_answer(exchange.head)
    shown = redacted_answer(whole, kind)
    if shown == whole:
        return exchange.frames
    return [Frame(shown, delay=sum(frame.delay for frame in exchange.frames))]


def _is_typed(fault: HeadFault) -> bool:
    return any(name.lower() == "content-type" for name in fault.headers or {})


def _with_frames(
    fault: HeadFault, pieces: Sequence[Frame], exchange: RecordedExchange
) -> tuple[HeadFault, EndFault]:
    end = exchange.end or Ending.HANG
    if not _is_typed(fault):
        # Frames would add a Content-Type, so a body without one is sent whole, without its timing.
        whole = b"".join(frame.raw for frame in pieces)
        in_chunks = evolve(fault, body_hex=whole, framing=Framing.CHUNKED)
        return in_chunks, EndFault(end=end)
    frames = tuple(_scripted(frame) for frame in pieces)
    framed = evolve(fault, frames=frames)
    silence = _paced(exchange.silence)
    if silence:
        after, stall = After(frames=len(frames)), Stall(seconds=silence)
        return framed, EndFault(after=after, stall=stall, end=end)
    return framed, EndFault(end=None if end is Ending.EOF else end)


def _scripted(frame: Frame) -> ScriptedFrame:
    """Convert a frame to the most readable form that renders to exactly the same bytes."""
    raw, delay = frame.raw, _paced(frame.delay)
    if not _is_text(raw):
        return ScriptedFrame(bytes_hex=raw, delay=delay)
    fields = fields_of(raw)
    forms = [ScriptedFrame(id=fields.id, event=fields.event, data=fields.data)]
    if (value := _table_in(fields.data or "")) is not None:
        forms.insert(0, ScriptedFrame(id=fields.id, event=fields.event, json=value))
    same = (form for form in forms if fields.data is not None and _rendered(form) == raw)
    return evolve(next(same, ScriptedFrame(raw=raw.decode())), delay=delay)


def _table_in(data: str) -> Mapping[str, object] | None:
    """Return the JSON object in `data`; None if there is none or it is hard to read as TOML."""
    if _NOT_IN_TOML.search(data) or data.count("{") + data.count("[") > _DEEPEST:
        return None
    value = json_of(data.encode())
    return value if is_table(value) else None


def _rendered(form: ScriptedFrame) -> bytes | None:
    try:
        return render(form).raw
    except ValueError:
        return None  # an id or an event that can only be written as raw text


def _jobs(exchanges: Iterable[RecordedExchange]) -> Iterable[JobPlan]:
    """Merge the recorded streams of each job into one event log."""
    logs: dict[str, _Log] = {}
    for each in exchanges:
        job = each.request.job
        if each.request.route is Route.STREAM and job and each.is_event_stream:
            logs.setdefault(redacted_text(job), _Log()).merge(each)
    for job, log in logs.items():
        if log.frames:
            events = tuple(_scripted(hidden(frame)) for frame in log.frames)
            yield JobPlan(id=job, submitted=True, emitted=True, events=events)


@define
class _Log:
    """The events of one job, each once, in the order in which they first arrived."""

    frames: list[Frame] = field(factory=list[Frame])
    _ids: set[str] = field(factory=set[str])

    def merge(self, exchange: RecordedExchange) -> None:
        """Add those events of a stream that were not in any earlier stream.

        A frame without an id is new if it follows the newest event; otherwise it is a repetition.
        """
        newest = not self.frames or self._goes_on(exchange.request.header("last-event-id"))
        for frame in exchange.frames:
            if frame.id is None:
                if newest:
                    self.frames.append(frame)
            elif frame.id not in self._ids:
                self._ids.add(frame.id)
                self.frames.append(frame)
                newest = True
            else:
                newest = frame.id == self._last_id()

    def _goes_on(self, cursor: str | None) -> bool:
        return cursor is not None and _text(cursor) == self._last_id()

    def _last_id(self) -> str | None:
        return next((each.id for each in reversed(self.frames) if each.id is not None), None)


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(wire: str) -> str:
    """Decode header text as UTF-8 if possible, because a scenario's text is sent as UTF-8."""
    raw = wire.encode("latin-1")
    return raw.decode() if _is_text(raw) else wire


def _paced(seconds: float) -> float:
    """Round a number of seconds to whole milliseconds, and cap it at one day."""
    return round(min(seconds, _LONGEST), 3)
