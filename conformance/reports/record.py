"""A run as plain data: what every report is made of, and what machines read.

It knows the shape of `run.json` (`spec/schemas/run.schema.json`), and keeps out of it what must not
leave the machine: tokens, and text without end. It refuses to know any report.
"""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from attrs import define, field, frozen

from arkor_proto import __version__
from conformance.catalogue import Outcome
from conformance.judgement import secrets_of
from conformance.narration import actor, arrow, tell
from conformance.probe_words import Stack
from conformance.reading import Json
from conformance.reports.plain import shortened
from conformance.specification import Requirement
from conformance.timing import TimeMode
from conformance.trace import CallbackRan, Event, Fact, Requested, Settled
from conformance.verdict import CaseResult, Finding
from conformance.verdict_words import Verdict

SCHEMA: Final = "arkor-conformance-run/1"
HIDDEN: Final = "[secret]"
_LONGEST_LINE: Final = 400
_LONGEST_TEXT: Final = 4_000
_FIRST_EVENTS: Final = 120
_LAST_EVENTS: Final = 20
_AROUND: Final = 12
_TELLING: Final = 5
"""So many characters of a secret are some of it, fewer may be any word."""


def record(
    outcome: Outcome, requirements: Mapping[str, Requirement], command: Sequence[str]
) -> Mapping[str, Json]:
    """Return the run as plain data. `command` is the driver's, empty for the reference."""
    profiles = dict.fromkeys(result.profile for result in outcome.results)
    by_profile = {
        name: [result for result in outcome.results if result.profile == name] for name in profiles
    }
    identity, events = outcome.identity, _Events()
    command_of = partial(rerun, command=command, mode=outcome.timing.mode)
    told = [_Telling.of(each, events).result(command_of(each)) for each in outcome.results]
    return {
        "schema": SCHEMA,
        "kit": __version__,
        "client": {
            "implementation": shortened(identity.implementation, _LONGEST_LINE),
            "version": shortened(identity.version, _LONGEST_LINE),
            "profiles": list(identity.profiles),
            "capabilities": sorted(identity.capabilities),
            "declared_gaps": dict(identity.declared_gaps),
            "command": list(command),
        },
        "seconds": round(outcome.seconds, 3),
        "time": {"mode": outcome.timing.mode.value, "said": str(outcome.timing)},
        "stack": _stack(outcome.stack),
        "profiles": [_profile(name, results) for name, results in by_profile.items()],
        "requirements": {rule.id: _requirement(rule) for rule in requirements.values()},
        "events": events.distinct(),
        "results": told,
    }


def rerun(result: CaseResult, command: Sequence[str], mode: TimeMode = TimeMode.VIRTUAL) -> str:
    """Return the command that runs this case alone, in the same kind of time."""
    file = ["--file", result.case.file] if result.case.file else []
    chosen = ["--case", result.case.id, "--profile", result.profile]
    chosen += ["--time", mode.value] if mode is not TimeMode.VIRTUAL else []
    parts = ["arkor-conformance", "run", *file, *chosen]
    return shlex.join([*parts, *(["--", *command] if command else [])])


def conforms(results: Sequence[CaseResult]) -> str:
    """Return the verdict of a profile in one word: all that ran must hold."""
    counts = Counter(result.verdict for result in results)
    if counts[Verdict.ERROR]:
        return "not judged"
    if len(results) == counts[Verdict.NOT_APPLICABLE]:
        return "nothing ran"
    if any(result.verdict.fails for result in results):
        return "does not conform"
    return "conforms but for known failures" if counts[Verdict.KNOWN_FAILURE] else "conforms"


def _profile(name: str, results: Sequence[CaseResult]) -> Json:
    counts = Counter(result.verdict for result in results)
    known = {verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]}
    return {"name": name, "verdict": conforms(results), "counts": known}


def _stack(stack: Stack | None) -> Json:
    """Return what the start-up probe found, or null if no case needed it."""
    if stack is None:
        return None
    return {"why": stack.why, **{word: sight.value for word, sight in stack.sights.items()}}


def _requirement(rule: Requirement) -> Json:
    return {
        "level": rule.level.value,
        "source": rule.source,
        "text": " ".join(rule.text.split()),
        "why": rule.why,
        "profiles": list(rule.profiles),
        "excluded": rule.excluded,
    }


@define
class _Events:
    """Thousands of timelines are made of the same few events, so each stands in the run once."""

    _places: dict[tuple[str, str | None, str, str, tuple[str, ...]], int] = field(
        factory=dict[tuple[str, str | None, str, str, tuple[str, ...]], int], init=False
    )

    def place(self, event: Event, text: str) -> int:
        """Return where in the list of events this one stands; times and numbers are no part."""
        kind = type(event.fact).__name__.lower()
        key = (actor(event.fact), arrow(event.fact), kind, text, event.names)
        return self._places.setdefault(key, len(self._places))

    def distinct(self) -> Sequence[Json]:
        """Return every event: who, to whom (or null), what kind, what is said, its names."""
        return [
            {"who": who, "to": to, "kind": kind, "text": text, "names": list(names)}
            for who, to, kind, text, names in self._places
        ]


@frozen
class _Telling:
    """Tells one result without its secrets (ARK-SEC-8) and without end."""

    told: CaseResult
    secrets: tuple[str, ...]
    known: _Events

    @classmethod
    def of(cls, result: CaseResult, known: _Events) -> "_Telling":
        """Prepare to tell `result`; the longest secret goes first, it may hold another."""
        found = sorted({secret for secret in secrets_of(result.case) if secret}, key=len)
        return cls(result, tuple(reversed(found)), known)

    def result(self, command: str) -> Json:
        case, events = self.told.case, self._events()
        return {
            "case": case.id,
            "profile": self.told.profile,
            "family": case.family,
            "level": case.level.value,
            "requires": list(case.requires),
            "why": case.why,
            "verdict": self.told.verdict.value,
            "reason": self._text(self.told.reason, len(self.told.reason))[-_LONGEST_TEXT:],
            "seconds": round(self.told.seconds, 4),
            "rerun": command,
            "findings": [self._finding(finding) for finding in self.told.findings],
            "unjudged": [{"word": each.word, "why": each.why} for each in self.told.unjudged],
            "omitted": len(self.told.trace.events) - len(events),
            "trace": [self._event(event) for event in events],
            "details": self._details(events),
        }

    def _text(self, text: str, longest: int) -> str:
        for secret in self.secrets:
            text = _without_its_beginning(text.replace(secret, HIDDEN), secret)
        return shortened(text, longest)

    def _events(self) -> Sequence[Event]:
        """Choose the beginning, the end and what surrounds a divergence; others are left out."""
        events = self.told.trace.events
        last = len(events) - _LAST_EVENTS
        points = [f.event.seq for f in self.told.findings if f.event is not None]
        return [
            event
            for event in events
            if event.seq <= _FIRST_EVENTS
            or event.seq > last
            or any(abs(event.seq - point) <= _AROUND for point in points)
        ]

    def _finding(self, finding: Finding) -> Json:
        return {
            "assertion": finding.assertion,
            "requires": list(finding.requires),
            "expected": self._text(finding.expected, _LONGEST_TEXT),
            "actual": self._text(finding.actual, _LONGEST_TEXT),
            "event": None if finding.event is None else finding.event.seq,
        }

    def _event(self, event: Event) -> Json:
        """Return an event: its number, milliseconds, and its place in the list of events."""
        text = self._text(tell(event.fact), _LONGEST_LINE)
        return [event.seq, round(event.at * 1000, 1), self.known.place(event, text)]

    def _details(self, events: Sequence[Event]) -> Json:
        """Return by number what a reader needs beside the lines, where something was found."""
        found = {event.seq: _detail(event.fact) for event in events if self.told.findings}
        return {str(n): self._text(said, _LONGEST_TEXT) for n, said in found.items() if said}


def _without_its_beginning(text: str, secret: str) -> str:
    """Hide what was left of a secret where somebody had cut the text already."""
    bare = text.removesuffix("…")
    for length in range(len(secret) - 1, _TELLING - 1, -1):
        if bare.endswith(secret[:length]):
            return f"{bare[:-length]}{HIDDEN}{text[len(bare) :]}"
    return text


def _detail(fact: Fact) -> str:
    """Return a request as it came, and whole what a line had to shorten."""
    match fact:
        case Requested(headers=headers, body=body):
            head = [
                f"{fact.method} {fact.target}",
                *(f"{name}: {value}" for name, value in headers),
            ]
            return "\n".join([*head, "", body] if body else head)
        case CallbackRan(data=data) if tell(fact).endswith("…"):
            return json.dumps(data, ensure_ascii=False, indent=1)
        case Settled(ok=ok) if tell(fact).endswith("…"):
            return json.dumps(ok, ensure_ascii=False, indent=1)
        case _:
            return ""
