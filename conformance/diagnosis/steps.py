"""Turn a trace into the client's steps, so that they can be compared with another client's.

A step is a decision by the client: a request, a back-off, a callback, the end of an operation. The
steps leave out the actions of the backend and the kit, and whatever may differ between correct
clients, such as idle timers, connections, and the order of header fields.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from conformance.casefile.nonces import Nonces
from conformance.expect.delays import SPREAD
from conformance.strict_data import Json
from conformance.trace.events import CallbackRan, Called, Event, Fact, Requested, Settled, Slept

_HEADERS: Final[Mapping[str, str]] = {
    "authorization": "Authorization",
    "accept": "Accept",
    "content-type": "Content-Type",
    "idempotency-key": "Idempotency-Key",
    "last-event-id": "Last-Event-ID",
    "x-arkor-client": "X-Arkor-Client",
}
"""The header fields that are compared, with their names for display."""
_COMPARED_BY_VALUE: Final = frozenset({"authorization", "last-event-id"})
"""The fields that are compared by value; of the others, only the presence is compared."""
_ROUTES: Final[Mapping[str, tuple[str, str]]] = {
    "create": ("submits the job", "submitting the job"),
    "stream": ("opens the stream", "opening the stream"),
    "cancel": ("cancels the job", "cancelling the job"),
    "job": ("requests the job", "requesting the job"),
}
_NOT_A_CALL: Final = frozenset({"open", "close", "hello"})
_LONGER: Final = (1 + SPREAD) / (1 - SPREAD)
"""If one delay is longer than another by more than this factor, jitter is not the only cause."""


@frozen(kw_only=True)
class Step:
    """One step; two steps with the same `does` are compared by their `parts`."""

    seq: int
    """The sequence number of the trace event that records the step."""
    lane: str
    """Steps are compared in order within a lane: `requests`, `callbacks` or an operation's name."""
    does: str
    """Text to follow "the client", such as "opens the stream again"."""
    doing: str
    """Text to follow "instead of", such as "opening the stream again"."""
    parts: Mapping[str, Json] = field(factory=dict[str, Json])
    """The details in which the step can differ: header fields, JSON members, the delay."""
    fact: Fact

    @property
    def route(self) -> str:
        """The route of a request; empty for other steps."""
        return self.fact.route if isinstance(self.fact, Requested) else ""


def until_closed(events: Sequence[Event]) -> Sequence[Event]:
    """Return the events recorded before the kit closed the case."""
    for place, event in enumerate(events):
        if isinstance(event.fact, Called) and event.fact.operation == "close":
            return events[:place]
    return events


def steps(events: Sequence[Event], nonces: Nonces | None, *, delays: bool = True) -> Iterator[Step]:
    """Yield the steps that a trace records before the case is closed, with the nonces removed.

    Without `delays`, back-offs are left out, because not every client announces them.
    """
    seen: set[str] = set()
    for event in until_closed(events):
        match event.fact:
            case Requested() as fact:
                yield _request(event, fact, nonces, again=fact.route in seen)
                seen.add(fact.route)
            case Slept(purpose="reconnect", ms=ms) as fact if delays:
                yield Step(
                    seq=event.seq,
                    lane="requests",
                    does="backs off",
                    doing="backing off",
                    parts={"delay": ms},
                    fact=fact,
                )
            case CallbackRan(name=name) as fact:
                yield Step(
                    seq=event.seq,
                    lane="callbacks",
                    does=f"calls back `{name}`",
                    doing=f"calling back `{name}`",
                    parts=_members(fact.data, nonces),
                    fact=fact,
                )
            case Settled(operation=operation) as fact if operation not in _NOT_A_CALL:
                yield _settled(event, fact, nonces)
            case _:
                pass


def _request(event: Event, fact: Requested, nonces: Nonces | None, *, again: bool) -> Step:
    elsewhere = f"{fact.method} to another address"
    does, doing = _ROUTES.get(fact.route, (f"sends {elsewhere}", f"sending {elsewhere}"))
    once_more = " again" if again else ""
    parts: dict[str, Json] = {"method": fact.method, "target": _plain(fact.target, nonces)}
    for name, written in _HEADERS.items():
        value = fact.header(name)
        if value is not None:
            parts[written] = _plain(value, nonces) if name in _COMPARED_BY_VALUE else True
    if fact.body:
        parts |= {f"body.{name}": value for name, value in _body(fact.body, nonces).items()}
    return Step(
        seq=event.seq,
        lane="requests",
        does=f"{does}{once_more}",
        doing=f"{doing}{once_more}",
        parts=parts,
        fact=fact,
    )


def _settled(event: Event, fact: Settled, nonces: Nonces | None) -> Step:
    call = f"{fact.operation.partition('#')[0]}()"
    failure = fact.failure
    if failure is None:
        does, doing = f"lets {call} return", f"letting {call} return"
    else:
        code = "" if failure.code is None else f" {failure.code}"
        how = f"with the error `{failure.kind}`{code}"
        does, doing = f"ends {call} {how}", f"ending {call} {how}"
    parts: Mapping[str, Json] = {} if failure is not None else _members(fact.ok, nonces)
    return Step(seq=event.seq, lane=fact.operation, does=does, doing=doing, parts=parts, fact=fact)


def _members(value: Json, nonces: Nonces | None) -> Mapping[str, Json]:
    """Return the members of an object; members of nested objects are named by their path."""
    plain: Json = json.loads(_plain(json.dumps(value), nonces))
    return dict(_flat("", plain))


def _flat(path: str, value: Json) -> Iterator[tuple[str, Json]]:
    if not isinstance(value, Mapping) or not value:
        yield path or "value", value
        return
    for name, inner in value.items():
        yield from _flat(f"{path}.{name}" if path else name, inner)


def _body(text: str, nonces: Nonces | None) -> Mapping[str, Json]:
    try:
        return _members(json.loads(text), nonces)
    except ValueError:
        return {"text": text}


def _plain(text: str, nonces: Nonces | None) -> str:
    return text if nonces is None else nonces.plain(text)


def differing(expected: Step, actual: Step) -> tuple[str, ...]:
    """Return the names of the parts in which two steps with the same `does` differ."""
    names = dict.fromkeys((*expected.parts, *actual.parts))
    return tuple(
        name
        for name in names
        if not _same(name, expected.parts.get(name, _ABSENT), actual.parts.get(name, _ABSENT))
    )


_ABSENT: Final = "(absent)"


def _same(name: str, one: Json, other: Json) -> bool:
    if name == "delay" and isinstance(one, int | float) and isinstance(other, int | float):
        least, most = sorted((one, other))
        return most <= max(least * _LONGER, least + 1)
    return one == other
