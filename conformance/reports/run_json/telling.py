"""Turn one result into plain data: its findings, settled operations and trace.

Tokens are removed and long texts shortened. Nonces are removed as well: the reader sees `job-1`, and
an event that occurs in many traces has the same text in all of them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import define, field, frozen

from conformance.plain import shortened, without_secrets
from conformance.strict_data import Json
from conformance.trace.describe import actor, arrow, tell
from conformance.trace.events import CallbackRan, Called, Event, Fact, Noted, Requested, Settled
from conformance.verdict.claim import opening_refused, unsupported
from conformance.verdict.result import CaseResult, Finding, secrets_of

LONGEST_LINE: Final = 300
LONGEST_TEXT: Final = 4_000
_FIRST_EVENTS: Final = 120
_LAST_EVENTS: Final = 20
_AROUND: Final = 12
_OF_THE_KIT: Final = ("hello", "open", "close")


@define
class Events:
    """The distinct events of a run. Thousands of traces share them, so each is stored once."""

    _places: dict[tuple[str, str | None, str, str, tuple[str, ...]], int] = field(
        factory=dict[tuple[str, str | None, str, str, tuple[str, ...]], int], init=False
    )

    def place(self, event: Event, text: str) -> int:
        """Return the index of this event among the distinct ones; add it if it is new.

        Events that differ only in their time and number are the same.
        """
        kind = type(event.fact).__name__.lower()
        key = (actor(event.fact), arrow(event.fact), kind, text, event.names)
        return self._places.setdefault(key, len(self._places))

    def distinct(self) -> Sequence[Json]:
        """Return each distinct event: its sender, receiver (or null), kind, text and names."""
        return [
            {"who": who, "to": to, "kind": kind, "text": text, "names": list(names)}
            for who, to, kind, text, names in self._places
        ]


@frozen
class Telling:
    """Turns one result into data without secrets (ARK-SEC-8) and without overlong texts."""

    told: CaseResult
    secrets: tuple[str, ...]
    known: Events
    parted: int | None = None
    """The number of the event at which client and reference diverge; None if they do not."""

    @classmethod
    def of(cls, result: CaseResult, known: Events, parted: int | None = None) -> "Telling":
        """Collect the secrets of a result, longest first, because one may contain another."""
        known_secrets = {*secrets_of(result.case), *result.secrets} - {""}
        found = sorted(known_secrets, key=len)
        return cls(result, tuple(reversed(found)), known, parted)

    def result(self, command: str) -> Mapping[str, Json]:
        """Return the result as data; `command` is the command line that runs only this case."""
        case, events = self.told.case, self._events()
        reason = self.text(self.told.reason, len(self.told.reason))
        return {
            "case": case.id,
            "profile": self.told.profile,
            "family": case.family,
            "level": case.level.value,
            "requires": list(case.requires),
            "why": case.why,
            "verdict": self.told.verdict.value,
            "reason": reason[-LONGEST_TEXT:],
            "lacking": list(self.told.lacking),
            "refused": [*opening_refused(self.told), *unsupported(self.told)],
            "seconds": round(self.told.seconds, 4),
            "rerun": command,
            "findings": [self._finding(finding) for finding in self.told.findings],
            "operations": list(self._operations()) if self.told.findings else [],
            "endless": self.told.endless,
            "unjudged": [{"word": each.word, "why": each.why} for each in self.told.unjudged],
            "omitted": len(self.told.trace.events) - len(events),
            "trace": [self._event(event) for event in events],
            "details": self._details(events) if self.told.findings else {},
        }

    def whole_trace(self) -> Json:
        """Return the trace and the details of its events, without a verdict; for the reference."""
        events = self._events()
        return {
            "omitted": len(self.told.trace.events) - len(events),
            "trace": [self._event(event) for event in events],
            "details": self._details(events),
        }

    def text(self, text: str, longest: int) -> str:
        """Return `text` without secrets or nonces, shortened to `longest` characters."""
        text = without_secrets(text, self.secrets)
        if self.told.nonces is not None:
            text = self.told.nonces.plain(text)
        return shortened(text, longest)

    def _events(self) -> Sequence[Event]:
        """Return the first and last events, and those around the findings and the divergence."""
        events = self.told.trace.events
        last = len(events) - _LAST_EVENTS
        points = [f.event.seq for f in self.told.findings if f.event is not None]
        points += [] if self.parted is None else [self.parted]
        return [
            event
            for event in events
            if event.seq <= _FIRST_EVENTS
            or event.seq > last
            or any(abs(event.seq - point) <= _AROUND for point in points)
        ]

    def _operations(self) -> Iterator[Json]:
        """Say how each operation that was called settled, in the order of the calls."""
        for _, fact in self.told.trace.of(Called):
            if fact.operation in _OF_THE_KIT:
                continue
            settled = self.told.trace.first(f"{fact.operation}.settled")
            said = f"{fact.operation} never settled" if settled is None else tell(settled.fact)
            yield self.text(said, LONGEST_LINE)

    def _finding(self, finding: Finding) -> Json:
        return {
            "assertion": finding.assertion,
            "requires": list(finding.requires),
            "expected": self.text(finding.expected, LONGEST_TEXT),
            "actual": self.text(finding.actual, LONGEST_TEXT),
            "event": None if finding.event is None else finding.event.seq,
            "not_reached": finding.not_reached,
        }

    def _event(self, event: Event) -> Json:
        """Return an event: its number, time in milliseconds, and index among the distinct events."""
        text = self.text(tell(event.fact), LONGEST_LINE)
        return [event.seq, round(event.at * 1000, 1), self.known.place(event, text)]

    def _details(self, events: Sequence[Event]) -> Json:
        """Return the details of the events that have any, by event number."""
        found = {event.seq: _detail(event.fact) for event in events}
        return {str(n): self.text(said, LONGEST_TEXT) for n, said in found.items() if said}


def _detail(fact: Fact) -> str:
    """Return a request in full, or the full text of an event with a shortened line; else ""."""
    match fact:
        case Requested(headers=headers, body=body):
            head = [
                f"{fact.method} {fact.target}",
                *(f"{name}: {value}" for name, value in headers),
            ]
            return "\n".join([*head, "", body] if body else head)
        case CallbackRan(data=data) if len(tell(fact)) > LONGEST_LINE:
            return json.dumps(data, ensure_ascii=False, indent=1)
        case Settled(ok=ok) if len(tell(fact)) > LONGEST_LINE and ok:
            return json.dumps(ok, ensure_ascii=False, indent=1)
        case Settled() | Noted() if len(tell(fact)) > LONGEST_LINE:
            return tell(fact)
        case _:
            return ""
