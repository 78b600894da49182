"""Find the rules that a wrong result breaks, if known mistakes explain it exactly.

A stream may reveal a mistake other than the one it was written for: a parser that delivers an
unfinished block fails on every stream that ends with such a block. This module contains a parser
that makes chosen mistakes. If its result is the same wrong one, the rules that belong to these
mistakes are the broken ones.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from itertools import combinations
from typing import Final

from attrs import define, field

from conformance.parser.streams import RETRY_LIMIT, Parsed, ParsedEvent, Stream

KEEPS_BOM: Final = "ARK-SSE-2"
HOLDS_A_CR_BACK: Final = "ARK-SSE-6"
DELIVERS_THE_UNFINISHED: Final = "ARK-SSE-8"
TAKES_NUL_IN_IDS: Final = "ARK-SSE-14"
DELIVERS_WITHOUT_DATA: Final = "ARK-SSE-15"
RETRIES_AT_A_BLANK_LINE: Final = "ARK-SSE-17"
FORGETS_IDS_WITHOUT_DATA: Final = "ARK-RES-5"
MISTAKES: Final = (
    *(KEEPS_BOM, HOLDS_A_CR_BACK, DELIVERS_THE_UNFINISHED, TAKES_NUL_IN_IDS),
    *(DELIVERS_WITHOUT_DATA, RETRIES_AT_A_BLANK_LINE, FORGETS_IDS_WITHOUT_DATA),
)
"""The known mistakes; each is identified by the rule that it breaks."""
_MOST: Final = 3
_UNDECODED: Final = "ARK-SSE-3"
_BOM: Final = "\ufeff"
_DIGITS: Final = 20
"""How many digits of a `retry` time are read: more than any reported time has."""


def explanations(
    stream: Stream, actual: Parsed, reports: frozenset[str]
) -> tuple[tuple[str, ...], ...]:
    """Return the smallest sets of rules whose breach explains a wrong result."""
    if actual.error:
        return () if _is_utf8(stream.data) else ((_UNDECODED,),)
    told = _told(actual, reports)
    for number in range(1, _MOST + 1):
        found = tuple(
            mistakes
            for mistakes in combinations(MISTAKES, number)
            if _told(parsed_with(stream, mistakes), reports) == told
        )
        if found:
            return found
    return ()


def likeliest(all_explanations: Sequence[Sequence[tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """For each wrong result, choose the explanation that also fits the most other results."""
    counts = Counter(each for found in all_explanations for each in found)
    return [max(found, key=lambda each: counts[each]) for found in all_explanations]


def parsed_with(stream: Stream, mistakes: Collection[str]) -> Parsed:
    """Parse a stream, making these mistakes on purpose; return the result."""
    text = stream.data.decode("utf-8", "replace")
    if KEEPS_BOM not in mistakes:
        text = text.removeprefix(_BOM)
    if HOLDS_A_CR_BACK in mistakes:
        text = text.removesuffix("\r")
    *lines, unfinished = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if DELIVERS_THE_UNFINISHED in mistakes:
        lines += [unfinished, ""]
    block = _Block(mistakes, stream.last_event_id or "")
    for line in lines:
        block.take(line)
    return Parsed(events=tuple(block.events), last_event_id=block.cursor, retry=block.retry)


@define
class _Block:
    """Collects the fields of each block and, where the block ends, dispatches its event."""

    mistakes: Collection[str]
    cursor: str
    events: list[ParsedEvent] = field(factory=list[ParsedEvent])
    retry: int | None = None
    _fields: dict[str, str] = field(factory=dict[str, str])
    _asked: int | None = None

    def take(self, line: str) -> None:
        if not line:
            self._end()
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                before = self._fields.get("data")
                self._fields["data"] = value if before is None else f"{before}\n{value}"
            case "event":
                self._fields["event"] = value
            case "id" if "\0" not in value or TAKES_NUL_IN_IDS in self.mistakes:
                self._fields["id"] = value
            case "retry" if value.isascii() and value.isdigit():
                self._ask(value)
            case _:
                pass

    def _ask(self, digits: str) -> None:
        exact = digits.lstrip("0")[:_DIGITS] or "0"
        self._asked = min(int(exact), RETRY_LIMIT)
        if RETRIES_AT_A_BLANK_LINE not in self.mistakes:
            self.retry = self._asked

    def _end(self) -> None:
        fields, self._fields = self._fields, {}
        asked, self._asked = self._asked, None
        cursor, kind = fields.get("id", self.cursor), fields.get("event", "")
        is_event = "data" in fields
        if DELIVERS_WITHOUT_DATA in self.mistakes:
            is_event = is_event or bool(cursor or kind) or asked is not None
        if is_event:
            data = fields.get("data", "")
            event = ParsedEvent(type=kind or "message", data=data, last_event_id=cursor)
            self.events.append(event)
        if is_event or FORGETS_IDS_WITHOUT_DATA not in self.mistakes:
            self.cursor = cursor
        if asked is not None:
            self.retry = asked


def _told(parsed: Parsed, reports: frozenset[str]) -> tuple[object, ...]:
    """Return only what the parser under test reports, so that two results can be compared."""
    cursors = "last_event_id" in reports
    events = [(e.type, e.data, e.last_event_id if cursors else None) for e in parsed.events]
    cursor = parsed.last_event_id if cursors else None
    return (events, cursor, parsed.retry if "retry" in reports else None)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
