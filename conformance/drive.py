"""The driver protocol `arkor-drive/1`: one JSON object a line, commands in, answers and events out.

It knows every message and what is wrong with a line that is none. It refuses to know processes,
cases and what an answer should say.
"""

import json
from collections.abc import Mapping
from typing import Final, TypeAlias

from attrs import frozen

from conformance.case_words import CAPABILITIES, ERROR_KINDS
from conformance.reading import Json, ReadingError, Table, parse_json
from conformance.specification import PROFILE_NAMES
from conformance.trace import CALLBACKS, CallbackRan, Failure, Noted, SleepEnded, Slept

PROTOCOL: Final = "arkor-drive/1"
COMMANDS: Final = ("hello", "open", "start", "wait", "cancel", "abort", "wake", "close", "bye")
EVENTS: Final = ("callback", "sleep", "sleep_end", "log")
PURPOSES: Final = ("reconnect", "idle")
ENDINGS: Final = ("woken", "aborted", "cancelled")
MAX_LINE: Final = 16 * 2**20
"""The longest line a driver may print, in bytes."""
_SHOWN: Final = 160


class DriveError(ValueError):
    """A line of the driver that is no message of the protocol."""


@frozen
class Answer:
    """The answer to the command numbered `re`: a result or a failure."""

    re: int
    ok: Mapping[str, Json]
    failure: Failure | None


@frozen(kw_only=True)
class Identity:
    """What a driver says about itself and its client."""

    implementation: str
    version: str
    profiles: tuple[str, ...]
    capabilities: frozenset[str]
    declared_gaps: Mapping[str, str]
    """Case ids that the client is known not to pass, each with a reason."""


Message: TypeAlias = Answer | CallbackRan | Slept | SleepEnded | Noted


def command(number: int | None, name: str, arguments: Mapping[str, Json]) -> bytes:
    """Return the line of one command; a command without a number gets no answer."""
    head: dict[str, Json] = {} if number is None else {"id": number}
    message = {**head, "do": name, **arguments}
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def parse_message(line: bytes) -> Message:
    """Parse one line of a driver; raises DriveError that shows it and says what would be right."""
    try:
        table = Table.of("message", parse_json(line.decode()))
    except ReadingError as error:
        raise DriveError(f"printed {_shown(line)}, {error.problem}") from error
    except ValueError as error:
        raise DriveError(
            f"printed {_shown(line)}, which is no line of JSON; logs belong on standard error"
        ) from error
    try:
        return _answer(table) if table.has("re") else _event(table)
    except ReadingError as error:
        raise DriveError(f"printed {_shown(line)}: {error.problem}") from error


def parse_identity(ok: Mapping[str, Json]) -> Identity:
    """Read the answer to `hello`; raises DriveError."""
    table = Table("hello", ok)
    try:
        profiles = tuple(dict.fromkeys(table.texts("profiles")))
        capabilities = frozenset(table.texts("capabilities"))
        identity = Identity(
            implementation=table.text("impl"),
            version=table.text("version"),
            profiles=profiles,
            capabilities=capabilities,
            declared_gaps=_gaps(table.table("declared_gaps")),
        )
    except ReadingError as error:
        raise DriveError(f"answered hello wrongly: {error.problem}") from error
    for what, given, known in (
        ("profile", profiles, PROFILE_NAMES),
        ("capability", sorted(capabilities), CAPABILITIES),
    ):
        strange = [name for name in given if name not in known]
        if strange:
            names = ", ".join(known)
            raise DriveError(f"answered hello with the {what} {strange[0]!r}; known are {names}")
    if not profiles:
        raise DriveError("answered hello without any profile; 'profiles' names at least one")
    return identity


def _gaps(table: Table) -> Mapping[str, str]:
    return {case: table.text(case) for case in table.values}


def _answer(table: Table) -> Answer:
    number = table.count("re")
    if table.has("error"):
        return Answer(number, {}, _failure(table.table("error")))
    return Answer(number, table.table("ok").values if table.has("ok") else {}, None)


def _failure(table: Table) -> Failure:
    return Failure(
        table.one_of("kind", ERROR_KINDS),
        table.optional("status", table.count),
        table.text("message", ""),
    )


def _event(table: Table) -> Message:
    match table.one_of("event", EVENTS):
        case "callback":
            data = table.raw("data") if table.has("data") else None
            return CallbackRan(table.one_of("name", CALLBACKS), data)
        case "sleep":
            ms = table.number("ms")
            if ms < 0:
                raise ReadingError(table.where, "'ms' is negative, zero or more would be right")
            purpose = table.one_of("purpose", PURPOSES, "reconnect")
            return Slept(table.count("n"), ms, purpose)
        case "sleep_end":
            return SleepEnded(table.count("n"), table.one_of("why", ENDINGS, "woken"))
        case _:
            return Noted("driver", table.text("text", ""))


def _shown(line: bytes) -> str:
    text = line[:_SHOWN].decode("utf-8", "backslashreplace").strip()
    return f"{text!r}…" if len(line) > _SHOWN else repr(text)
