"""Parse event streams with a modified algorithm before the session gets them.

A mutant parses the bytes of a stream into blocks in its own way, then passes these blocks to the
session in their plainest form. Apart from the one modification, it implements the algorithm of
WHATWG HTML 9.2.6, independently of the core.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NoReturn, TypeGuard

from attrs import define, evolve, field, frozen

from arkor_proto import (
    Broken,
    Finished,
    FrameSkipped,
    Input,
    JsonObject,
    Notify,
    Output,
    Received,
    TrainingEvent,
    decode_event,
    encode_event,
)
from conformance.mutants.around import Call, Client, Exchange
from conformance.mutants.filters import filter_inputs, filter_outputs
from conformance.mutants.patching import ByObject

_KNOWN: Final = frozenset({"data", "event", "id", "retry"})
_LONGEST_RETRY: Final = 2**53 - 1
NOTHING: Final = b":\n"
"""A comment, which the session ignores."""
EVENT_TYPES: Final = {
    "training.started",
    "training.log",
    "checkpoint.saved",
    "training.completed",
    "training.failed",
}


def _is_object(value: object) -> TypeGuard[JsonObject]:
    return isinstance(value, dict)


def _no_such_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


@frozen
class Block:
    """The fields between two blank lines; a block without data is not an event."""

    data: str | None = None
    name: str = "message"
    id: str | None = None
    retry: int | None = None

    @property
    def content(self) -> JsonObject | None:
        """The JSON object in the data, or None if the data is anything else."""
        try:
            value: object = json.loads(
                self.data or "", parse_int=float, parse_constant=_no_such_number
            )
        except (ValueError, RecursionError):
            return None
        return value if _is_object(value) else None

    @property
    def is_control(self) -> bool:
        """Whether the block is `event: ping` or `event: end`."""
        return self.name in {"ping", "end"}

    @property
    def event(self) -> TrainingEvent | None:
        """The training event in the block, or None."""
        content = self.content
        if content is None or self.is_control:
            return None
        try:
            return decode_event(content)
        except ValueError:
            return None

    @property
    def kind(self) -> str:
        """The type of the training event, or "" if the block contains no such event."""
        return "" if self.event is None else str((self.content or {}).get("type"))

    @property
    def bytes(self) -> bytes:
        """The block encoded in its plainest form, as the session gets it."""
        if self.data is None and self.id is None and self.retry is None:
            return b""
        name = "message" if self.data is None else self.name
        return encode_event(self.data, type=name, id=self.id, retry=self.retry)


UNKNOWN: Final = '{"type":"of a later version"}'
MALFORMED: Final = "{"


def as_unknown(block: Block) -> Block:
    """Replace the event of a block with one of an unknown type, which the session skips."""
    return evolve(block, data=UNKNOWN, name="message")


def as_malformed(block: Block) -> Block:
    """Replace the data of a block with text that is not JSON."""
    return evolve(block, data=MALFORMED, name="message")


def lost(block: Block) -> Block:
    """Remove the event from a block, but keep the id."""
    return evolve(block, data=None)


def plain_field(line: str) -> tuple[str, str]:
    """Split a line into name and value as the standard does; a comment has an empty name."""
    name, _, value = line.partition(":")
    return name, value.removeprefix(" ")


def is_unknown(name: str) -> bool:
    """Return whether this field name is unknown to the standard; false for a comment."""
    return bool(name) and name not in _KNOWN


def _lf_lines(text: str) -> list[str]:
    return text.split("\n")[:-1]


@frozen(kw_only=True)
class Dialect:
    """The standard's algorithm, with an attribute for each part that mutants change.

    `throws_away` returns whether a field with this name discards the earlier data of its block.
    `is_event` returns whether a block with this data and name is an event.
    """

    lines: Callable[[str], list[str]] = _lf_lines
    field: Callable[[str], tuple[str, str]] = plain_field
    join: Callable[[list[str]], str] = "\n".join
    throws_away: Callable[[str], bool] = lambda _: False
    is_event: Callable[[list[str], str], bool] = lambda data, _: bool(data)
    first_event_counts: bool = False
    event_carries_over: bool = False
    takes_nul_ids: bool = False
    ignores_empty_ids: bool = False
    reads_a_last_comment: bool = False

    def blocks(self, text: str) -> Iterator[Block]:
        """Yield the blocks in `text`, which consists of complete lines."""
        gathered = _Gathered(self)
        for line in self.lines(text):
            if line:
                gathered.take(*self.field(line))
            else:
                yield gathered.dispatch()


@define
class _Gathered:
    dialect: Dialect
    kind: str = ""
    data: list[str] = field(factory=list[str])
    id: str | None = None
    retry: int | None = None

    def take(self, name: str, value: str) -> None:
        """Add one field to the block."""
        if self.dialect.throws_away(name):
            self.data.clear()
        elif name == "data":
            self.data.append(value)
        elif name == "event" and not (self.dialect.first_event_counts and self.kind):
            self.kind = value
        elif name == "id" and self._takes_id(value):
            self.id = value.replace("\0", "")
        elif name == "retry" and value.isascii() and value.isdigit():
            short = len(value.lstrip("0")) <= len(str(_LONGEST_RETRY))
            self.retry = min(int(value), _LONGEST_RETRY) if short else _LONGEST_RETRY

    def _takes_id(self, value: str) -> bool:
        if not value and self.dialect.ignores_empty_ids:
            return False
        return "\0" not in value or self.dialect.takes_nul_ids

    def dispatch(self) -> Block:
        """Return the finished block, and start the next one."""
        whole = self.dialect.is_event(self.data, self.kind)
        text = self.dialect.join(self.data) if whole else None
        block = Block(text, self.kind or "message", self.id, self.retry)
        self.data, self.id, self.retry = [], None, None
        self.kind = self.kind if self.dialect.event_carries_over else ""
        return block


_STANDARD: Final = Dialect()


@define(eq=False)
class _Reader:
    """Splits one stream into complete blocks; `held` is the unfinished block, with LF line endings."""

    held: bytes = b""
    _begun: bool = False
    _after_cr: bool = False

    def feed(self, data: bytes, limit: int) -> tuple[str, bytes]:
        """Return the blocks that `data` completes, and any unfinished block longer than `limit`."""
        if self._after_cr:
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r")
        self.held += data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not self._begun and len(self.held) >= 3:  # noqa: PLR2004 - a byte order mark
            self._begun, self.held = True, self.held.removeprefix(b"\xef\xbb\xbf")
        end = 1 if self.held.startswith(b"\n") else 0
        end = max(end, self.held.rfind(b"\n\n") + 2 if b"\n\n" in self.held else 0)
        whole, self.held = self.held[:end], self.held[end:]
        if len(self.held) <= limit:
            return whole.decode(errors="replace"), b""
        over, self.held = self.held, b""
        return whole.decode(errors="replace"), over


Chunk = Callable[[Client, bytes, list[Block]], Iterable[Block]]
"""Takes the bytes of a chunk and the blocks that it completes; returns the blocks to pass on."""
Rest = Callable[[Client, bytes, Finished | Broken], bytes]
"""Takes the unfinished block at the end of a stream; returns the bytes to pass on."""


def _all_of_it(_: Client, held: bytes, __: Finished | Broken) -> bytes:
    return held


def change_chunks(
    change: Chunk,
    at_the_end: Rest = _all_of_it,
    dialect: Dialect = _STANDARD,
    *,
    silent: bool = False,
) -> None:
    """Replace the blocks that each chunk of a stream completes with those that `change` returns.

    If no bytes of a chunk are passed on, the session still gets a comment, unless `silent`.
    """
    readers = ByObject[_Reader]()

    def changed(client: Client, event: Input) -> Iterable[Input]:
        if not client.is_of_stream(event):
            yield event
            return
        reader = readers.setdefault(connection(client), _Reader())
        if isinstance(event, Received) and event.data:
            text, over = reader.feed(event.data, client.setup.config.bounds.event)
            blocks = [*change(client, event.data, [*dialect.blocks(text)])]
            new = b"".join(block.bytes for block in blocks) + over
            yield Received(event.exchange, new if new or silent else NOTHING)
            return
        if isinstance(event, Finished | Broken) and (
            rest := at_the_end(client, reader.held, event)
        ):
            yield Received(event.exchange, rest)
        yield event

    filter_inputs(changed)


def connection(client: Client) -> Exchange:
    """Return the exchange of the current stream, or of the last one if none is open."""
    return client.sent[Call.STREAM]


def change_blocks(change: Callable[[Client, Block], Iterable[Block]]) -> None:
    """Replace each block of a stream with the blocks that `change` returns."""

    def changed(client: Client, _: bytes, blocks: list[Block]) -> Iterable[Block]:
        for block in blocks:
            yield from change(client, block)

    change_chunks(changed)


def misread(change: Callable[[Block], Block]) -> None:
    """Replace each block that is an event with the block that `change` returns for it."""
    change_blocks(lambda _, block: (block if block.data is None else change(block),))


def reject_at(reason: Callable[[Client, Block], Exception | None]) -> None:
    """Make `wait()` reject at the first event for which `reason` returns an exception."""
    mark = "the mutant ends the wait here "
    reasons = dict[str, Exception]()

    def marked(client: Client, block: Block) -> Iterable[Block]:
        error = None if block.data is None else reason(client, block)
        if error is None:
            yield block
        else:
            data = f"{mark}{len(reasons)}"
            reasons[data] = error
            yield evolve(block, data=data, name="message")

    def rejected(client: Client, output: Output) -> Iterable[Output]:
        notice = output.notice if isinstance(output, Notify) else None
        error = reasons.get(notice.data) if isinstance(notice, FrameSkipped) else None
        if error is None:
            yield output
        else:
            client.reject(error)

    change_blocks(marked)
    filter_outputs(rejected)


def watch_blocks() -> Callable[[Client], list[Block]]:
    """Return a function that lists the blocks of a client's current or last stream."""
    seen = ByObject[list[Block]]()

    def watch(client: Client, _: bytes, blocks: list[Block]) -> Iterable[Block]:
        seen.setdefault(connection(client), []).extend(blocks)
        return blocks

    change_chunks(watch)
    return lambda client: seen.get(client.opened, [])


def speak(dialect: Dialect) -> None:
    """Parse every stream with a dialect instead of the standard's algorithm."""

    def rest(_: Client, held: bytes, end: Finished | Broken) -> bytes:
        if dialect.reads_a_last_comment and isinstance(end, Finished) and held.startswith(b":"):
            text = held.decode(errors="replace") + "\n\n"
            return b"".join(block.bytes for block in dialect.blocks(text))
        return held

    change_chunks(lambda _, __, blocks: blocks, rest, dialect)
