"""The faults of a simulated job, as data that can be drawn at random, printed and parsed."""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from random import Random
from typing import Final

from attrs import evolve, frozen

from arkor_proto import HARDENED, Profile
from conformance.strict_data import Json, UsageError
from mock_server.strict.shapes import count_of

_MOST: Final = 12
"""A job gets fewer than this many faults in its stream requests, and fewer than this elsewhere."""
_TRANSIENT: Final = (500, 502, 503, 429, 408)
_LARGEST: Final = 1e9


class Source(Enum):
    """The places where faults are injected."""

    NETWORK = "network"
    BACKEND = "backend"
    CALLBACKS = "callbacks"
    CLOCK = "clock"


class Kind(Enum):
    """The kinds of faults: each has a source, a name, the kind of target it hits, and a phrase."""

    REFUSED = Source.NETWORK, "refused", "open", "the connection is refused"
    LATE = Source.NETWORK, "late", "open", "its response arrives {value:.1f} s late"
    CUT = Source.NETWORK, "cut", "open", "its stream is cut off after {events}"
    SILENCE = Source.NETWORK, "silence", "open", "its stream goes silent after {events}"
    LOST_CREATE = Source.NETWORK, "lost create", "create", "it never arrives"
    LOST_ANSWER = Source.NETWORK, "lost answer", "create", "its response is lost"
    STATUS = Source.BACKEND, "status", "open", "it is answered with status {value:.0f}"
    END = Source.BACKEND, "end", "open", "its stream ends cleanly after {events}"
    GARBAGE = (
        *(Source.BACKEND, "garbage", "open"),
        "after {events}, its stream carries a frame whose data is not JSON",
    )
    SLOW = Source.CALLBACKS, "slow", "event", "its callback takes {value:.1f} s"
    RAISES = Source.CALLBACKS, "raises", "event", "its callback raises an exception"
    ASLEEP = Source.CLOCK, "asleep", "second", "the machine sleeps for {value:.0f} s"
    EARLY = Source.CLOCK, "early", "second", "a timer fires although nothing is due"

    def __init__(self, source: Source, word: str, place: str, phrase: str) -> None:
        self.source, self.word, self.place, self.phrase = source, word, place, phrase


_BY_WORD: Final = {kind.word: kind for kind in Kind}


@frozen(order=True)
class Fault:
    """A fault: its kind, its place, and a value whose meaning depends on the kind.

    The place is the number of a stream request, create request or event, or a time in seconds.
    """

    word: str
    at: float
    value: float = 0.0

    @property
    def kind(self) -> Kind:
        """The kind of the fault."""
        return _BY_WORD[self.word]

    def __str__(self) -> str:
        events = count_of(round(self.value), "event")
        phrase = self.kind.phrase.format(value=self.value, events=events)
        return f"{self.kind.place} {self.at:.0f}: {phrase}"


Faults = tuple[Fault, ...]


def kinds_of(profile: Profile) -> Sequence[Kind]:
    """Return the kinds of faults from which a client can recover under a profile.

    Only under `hardened` do clients notice silence, and send the idempotency key that they need to
    recover if a create request or its response is lost.
    """
    needs_hardened = {Kind.SILENCE, Kind.LOST_CREATE, Kind.LOST_ANSWER}
    return [kind for kind in Kind if profile is HARDENED or kind not in needs_hardened]


def drawn(random: Random, profile: Profile, events: int, seconds: float) -> Faults:
    """Choose random faults for a job that emits `events` events in `seconds` seconds."""
    kinds = kinds_of(profile)
    of_opens = [kind for kind in kinds if kind.place == "open"]
    others = [kind for kind in kinds if kind.place != "open"]
    found: dict[tuple[str, float], Fault] = {}
    # Consecutive opens fail: a client makes the next one only because of a failure.
    for number in range(1, random.randrange(_MOST) + 1):
        kind = random.choice(of_opens)
        found["open", number] = Fault(kind.word, float(number), _value(random, kind, events))
    for _ in range(random.randrange(_MOST)):
        kind = random.choice(others)
        at = float(random.randrange(1, {"create": 3, "event": events + 1}.get(kind.place, 2)))
        if kind.place == "second":
            at = round(random.uniform(0.0, seconds), 3)
        found[kind.place, at] = Fault(kind.word, at, _value(random, kind, events))
    return tuple(sorted(found.values()))


def renumbered(faults: Faults) -> Faults:
    """Return the faults, with the numbers of their stream and create requests made consecutive."""
    numbered: list[Fault] = []
    for place in ("open", "create"):
        here = sorted((each for each in faults if each.kind.place == place), key=_when)
        numbered += [evolve(each, at=float(number)) for number, each in enumerate(here, 1)]
    others = [each for each in faults if each.kind.place not in {"open", "create"}]
    return tuple(sorted([*numbered, *others]))


def _when(fault: Fault) -> float:
    return fault.at


def _value(random: Random, kind: Kind, events: int) -> float:
    match kind:
        case Kind.STATUS:
            return float(random.choice(_TRANSIENT))
        case Kind.LATE:
            return round(random.uniform(0.1, 5.0), 1)
        case Kind.SLOW:
            return round(random.uniform(0.1, 30.0), 1)
        case Kind.ASLEEP:
            return float(random.randrange(1, 7201))
        case Kind.CUT | Kind.END | Kind.SILENCE | Kind.GARBAGE:
            return float(random.randrange(max(1, events // 4)))
        case _:
            return 0.0


def as_text(faults: Faults) -> str:
    """Return the faults as one line of JSON, which the option `--faults` accepts."""
    return json.dumps([[each.word, each.at, each.value] for each in faults])


def from_text(text: str) -> Faults:
    """Parse the output of `as_text`; raise UsageError if it is malformed."""
    where = "--faults"
    try:
        found: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(where, f"is not JSON: {error}") from error
    if isinstance(found, str | Mapping) or not isinstance(found, Sequence):
        raise UsageError(where, 'is not a list such as [["cut", 1, 2]]')
    return tuple(_fault(where, each) for each in found)


def _fault(where: str, given: Json) -> Fault:
    match given:
        case [str(word), int() | float() as at, int() | float() as value] if word in _BY_WORD:
            pass
        case _:
            known = ", ".join(_BY_WORD)
            raise UsageError(
                where, f"{given!r} is not a valid [kind, number, value]; the kinds are {known}"
            )
    for number in (at, value):
        if not 0 <= number <= _LARGEST:
            raise UsageError(where, f"{number} is not a number from 0 to {_LARGEST:g}")
    if word == Kind.STATUS.word and value not in _TRANSIENT:
        known = ", ".join(map(str, sorted(_TRANSIENT)))
        raise UsageError(where, f"{value:g} is not one of the statuses {known}")
    return Fault(word, float(at), float(value))
