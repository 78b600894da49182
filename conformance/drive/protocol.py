"""Read and write the messages of the driver protocol `arkor-drive/1`, one JSON object per line.

This module rejects lines that are not valid messages. Whether a valid message is *right* is judged
elsewhere; for example, a delay that is not a number is read as the client gave it.
"""

import json
import math
from collections.abc import Mapping
from typing import Final, TypeAlias

from attrs import frozen

from conformance.casefile.requirements import PROFILE_NAMES
from conformance.plain import shortened
from conformance.strict_data import Json, ReadingError, Table, kind_of
from conformance.trace.events import CALLBACKS, CallbackRan, Failure, Noted, SleepEnded, Slept
from conformance.words import ATTACH, CAPABILITIES, CREATE, ERROR_KINDS

PROTOCOL: Final = "arkor-drive/1"
COMMANDS: Final = ("hello", "open", "start", "wait", "cancel", "abort", "wake", "close", "bye")
EVENTS: Final = ("callback", "sleep", "sleep_end", "log")
PURPOSES: Final = ("reconnect", "idle")
ENDINGS: Final = ("woken", "aborted", "cancelled")
MAX_LINE: Final = 16 * 2**20
"""The longest line that a driver may print, in bytes."""
MAX_LEVELS: Final = 200
"""The maximum nesting depth of a line's JSON, because it is read and written recursively."""
MAX_LOG: Final = 2_000
"""The text of a `log` event is cut to this many characters."""
_MOST_DIGITS: Final = 400
"""Integers with more digits become infinity, as in languages whose only numbers are doubles."""
_MOST: Final = 2**53
_SHOWN: Final = 160


class DriveError(ValueError):
    """A line from the driver is not a valid protocol message."""


@frozen
class Answer:
    """The answer to command number `re`: the result `ok`, or a failure."""

    re: int
    ok: Mapping[str, Json]
    failure: Failure | None


@frozen(kw_only=True)
class Identity:
    """What a driver declares about itself and its client in its answer to `hello`."""

    implementation: str
    version: str
    profiles: tuple[str, ...]
    capabilities: frozenset[str]
    declared_gaps: Mapping[str, str]
    """The ids of the cases that the client is known to fail, each with the reason."""

    @property
    def follows_only(self) -> bool:
        """Whether the client can follow jobs but not create them.

        A driver that declares neither `create` nor `attach` is assumed to create jobs, because it
        may have been written before the `create` capability was introduced.
        """
        return ATTACH in self.capabilities and CREATE not in self.capabilities


Message: TypeAlias = Answer | CallbackRan | Slept | SleepEnded | Noted


def command(number: int | None, name: str, arguments: Mapping[str, Json]) -> bytes:
    """Return one command as a line; a command without a number gets no answer."""
    head: dict[str, Json] = {} if number is None else {"id": number}
    message = {**head, "do": name, **arguments}
    return json.dumps(message, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def parse_message(line: bytes) -> Message:
    """Parse one line from a driver; if it is invalid, raise DriveError, which quotes it."""
    try:
        message = _parsed(line)
    except ReadingError as error:
        raise DriveError(f"printed {_shown(line)}, {error.problem}") from error
    if not isinstance(message, Mapping):
        raise DriveError(f"printed {_shown(line)}, {kind_of(message)}, not a JSON object")
    table = Table("message", message)
    try:
        return _answer(table) if table.has("re") else _event(table)
    except ReadingError as error:
        raise DriveError(f"printed {_shown(line)}: {error.problem}") from error


def _parsed(line: bytes) -> Json:
    """Parse a line; raise ReadingError if it is malformed.

    `NaN` and `Infinity` are accepted, because many languages print them in JSON.
    """
    try:
        text = line.decode()
        value: Json = json.loads(text, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise ReadingError(
            "", f"which is not a line of JSON: it is not UTF-8 ({error.reason})"
        ) from error
    except RecursionError as error:
        raise ReadingError("", _TOO_DEEP) from error
    except ValueError as error:
        if line.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
            mark = "it begins with a byte order mark; print UTF-8 without one"
            raise ReadingError("", f"which is not a line of JSON: {mark}") from error
        raise ReadingError(
            "", "which is not a line of JSON; write logs to standard error"
        ) from error
    if line.count(b"[") + line.count(b"{") > MAX_LEVELS and _deeper_than(value, MAX_LEVELS):
        raise ReadingError("", _TOO_DEEP)
    return value


_TOO_DEEP: Final = f"which is nested more than {MAX_LEVELS} levels deep"


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _deeper_than(value: Json, levels: int) -> bool:
    waiting: list[tuple[Json, int]] = [(value, 1)]
    while waiting:
        each, level = waiting.pop()
        if level > levels:
            return True
        match each:
            case Mapping():
                waiting += [(item, level + 1) for item in each.values()]
            case str() | int() | float() | None:
                pass
            case _:
                waiting += [(item, level + 1) for item in each]
    return False


def parse_identity(ok: Mapping[str, Json]) -> Identity:
    """Read the answer to `hello`; raise DriveError if it is invalid."""
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
        raise DriveError(f"answered `hello` wrongly: {error.problem}") from error
    for what, given, known in (
        ("profile", profiles, PROFILE_NAMES),
        ("capability", sorted(capabilities), CAPABILITIES),
    ):
        strange = [name for name in given if name not in known]
        if strange:
            names = ", ".join(known)
            raise DriveError(
                f"answered `hello` with the unknown {what} {strange[0]!r}; use only {names}"
            )
    if not profiles:
        raise DriveError("answered `hello` without a profile; name at least one in 'profiles'")
    return identity


def _gaps(table: Table) -> Mapping[str, str]:
    return {case: table.text(case) for case in table.values}


def _number(table: Table, key: str) -> int:
    """Read the number of a command or of a sleep."""
    given = table.raw(key)
    # Languages whose numbers are doubles may print 3.0, which is a whole number in JSON.
    whole = isinstance(given, float) and given.is_integer()
    number = int(given) if whole and isinstance(given, float) else table.count(key)
    if not -_MOST < number < _MOST:
        raise ReadingError(table.where, f"{key!r} is 2^53 or more; use a smaller number")
    return number


def _answer(table: Table) -> Answer:
    number = _number(table, "re")
    if table.has("error"):
        return Answer(number, {}, _failure(table.table("error")))
    return Answer(number, table.table("ok").values if table.has("ok") else {}, None)


def _failure(table: Table) -> Failure:
    return Failure(
        table.one_of("kind", ERROR_KINDS),
        table.count("status") if table.has("status") else None,
        table.text("message", ""),
    )


def _event(table: Table) -> Message:
    match table.one_of("event", EVENTS):
        case "callback":
            data = table.raw("data") if table.has("data") else None
            return CallbackRan(table.one_of("name", CALLBACKS), data)
        case "sleep":
            purpose = table.one_of("purpose", PURPOSES, "reconnect")
            return Slept(_number(table, "n"), _delay(table), purpose)
        case "sleep_end":
            return SleepEnded(_number(table, "n"), table.one_of("why", ENDINGS, "woken"))
        case _:
            return Noted("driver", shortened(table.text("text", ""), MAX_LOG))


def _delay(table: Table) -> float:
    """Read a delay as the client gave it, even if it is not a finite number."""
    match table.raw("ms"):
        case None | "NaN":  # JSON has no NaN: JavaScript prints null, the kit's plumbing "NaN"
            return math.nan
        case "Infinity":
            return math.inf
        case "-Infinity":
            return -math.inf
        case int() | float() as ms if not isinstance(ms, bool):
            # An integer too large for a float becomes infinity, as in most languages.
            try:
                return float(ms)
            except OverflowError:
                return math.inf if ms > 0 else -math.inf
        case _:
            return table.number("ms")


def _shown(line: bytes) -> str:
    text = line[:_SHOWN].decode("utf-8", "backslashreplace").strip()
    return f"{text!r}…" if len(line) > _SHOWN else repr(text)
