"""A stream that is read in the background, so that a case can wait until something arrives."""

from collections.abc import Callable, Sequence
from typing import Final

import anyio
from attrs import define, field

from conformance.backends.blocks import Block, block_of
from conformance.backends.wire import BY_CLOSE, COMPLETE, Wire, now
from mock_server.sse import Framer

MOST_BYTES: Final = 64 << 20
"""The kit stops reading a stream after this many bytes."""
_LONGEST_BODY: Final = 1 << 20
MOST_BLOCKS: Final = 50_000
"""The kit stops reading a stream after this many blocks."""


@define(eq=False)
class Follower:
    """A stream that is or was open; `blocks` grows as the stream is read."""

    route: str
    attempt: int
    job: str
    cursor: str | None
    _wire: Wire = field(alias="wire")
    _note: Callable[["Follower", Block, int], None] = field(alias="note")
    _headed: Callable[["Follower"], None] = field(alias="headed")
    _over: Callable[["Follower"], None] = field(alias="over")
    asked_at: float = field(factory=now, init=False)
    head_at: float | None = field(default=None, init=False)
    first_at: float | None = field(default=None, init=False)
    """When the first byte of the body arrived, on the monotonic clock; None until then."""
    last_at: float | None = field(default=None, init=False)
    ended_at: float | None = field(default=None, init=False)
    silence: float = field(default=0.0, init=False)
    """The longest time, in seconds, in which nothing arrived after the response head."""
    blocks: list[Block] = field(factory=list[Block], init=False)
    status: int = field(default=0, init=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), init=False)
    invalid_utf8: str = field(default="", init=False)
    size: int = field(default=0, init=False)
    body: bytearray = field(factory=bytearray, init=False)
    """The first bytes of the body if the response is not a stream; otherwise empty."""
    _changed: anyio.Event = field(factory=anyio.Event, init=False)
    _reading: anyio.CancelScope = field(factory=anyio.CancelScope, init=False)
    _paused: bool = field(default=False, init=False)

    @property
    def ended(self) -> str:
        """How the response ended; empty while it is open."""
        return self._wire.ended if self.ended_at is not None else ""

    @property
    def is_stream(self) -> bool:
        """True if the response is a 200 with an event stream, which is what clients read."""
        kind = self.header("content-type").partition(";")[0].strip().lower()
        return self.status == 200 and kind == "text/event-stream"  # noqa: PLR2004 - HTTP

    @property
    def ended_whole(self) -> bool:
        """True if the body was complete."""
        return self.ended in {COMPLETE, BY_CLOSE}

    @property
    def problem(self) -> str:
        """How the response violated HTTP; empty if it did not."""
        return self._wire.problem

    @property
    def frames(self) -> Sequence[Block]:
        """The received blocks that are events of the job's log."""
        return [block for block in self.blocks if block.is_durable]

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the log events received so far, in order of arrival."""
        return [block.id for block in self.frames if block.id is not None]

    @property
    def terminal(self) -> Block | None:
        """The first frame after which a client stops following."""
        return next((block for block in self.blocks if block.is_terminal), None)

    def header(self, name: str) -> str:
        """Return the value of a header, or "" if it is absent; join repeated headers with ", "."""
        return ", ".join(value for key, value in self.headers if key == name)

    async def read(self) -> None:
        """Read the response to its end; run this in a task of its own."""
        with self._reading:
            await self._read()

    async def read_head(self) -> None:
        """Read only the response head."""
        await self._wire.head()
        self.head_at = self.last_at = now()
        self.status, self.headers = self._wire.status, self._wire.headers
        if self.status:
            self._headed(self)

    async def _read(self) -> None:
        await self.read_head()
        framer = Framer()
        streams = self.is_stream
        self._tell()
        while (piece := await self._wire.body()) and not self.is_too_long:
            at = now()
            self.silence = max(self.silence, at - (self.last_at or at))
            self.last_at = at
            self.first_at = self.first_at or at
            self.size += len(piece)
            if not streams:
                self.body += piece[: _LONGEST_BODY - len(self.body)]
            else:
                for frame in framer.feed(piece):
                    self._take(block_of(frame, at))
            self._tell()
        for frame in framer.close():
            self._take(block_of(frame, now(), is_whole=False))
        await self._wire.close()
        self.ended_at = now()
        self.silence = max(self.silence, self.ended_at - (self.last_at or self.ended_at))
        self._over(self)
        self._tell()

    @property
    def is_too_long(self) -> bool:
        """True if the stream has reached `MOST_BYTES` or `MOST_BLOCKS`, so that reading stops."""
        return self.size >= MOST_BYTES or len(self.blocks) >= MOST_BLOCKS

    def _take(self, block: Block) -> None:
        self.blocks.append(block)
        if not self.invalid_utf8:
            try:
                block.raw.decode()
            except UnicodeDecodeError as error:
                self.invalid_utf8 = f"{error.reason} in block {len(self.blocks)}"
        self._note(self, block, len(self.blocks))

    def _tell(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, done: Callable[["Follower"], bool], seconds: float) -> bool:
        """Wait until `done(self)`, the end of the response or a timeout; return `done(self)`."""
        with anyio.move_on_after(seconds):
            while not done(self):
                if self.ended_at is not None:
                    return False
                await self._changed.wait()
        return done(self)

    async def until_head(self, seconds: float) -> bool:
        """Wait for the response head; return whether it arrived in time."""
        return await self.until(lambda each: each.head_at is not None, seconds) and bool(
            self.status
        )

    async def until_ids(self, ids: Sequence[str], seconds: float) -> bool:
        """Wait until all of these events have arrived; return whether they did in time."""
        wanted = set(ids)
        return await self.until(lambda each: wanted <= set(each.ids), seconds)

    async def until_terminal(self, seconds: float) -> bool:
        """Wait for the terminal event; return whether it arrived in time."""
        return await self.until(lambda each: each.terminal is not None, seconds)

    async def until_end(self, seconds: float) -> bool:
        """Wait for the end of the response; return whether it ended in time."""
        await self.until(lambda each: each.ended_at is not None, seconds)
        return self.ended_at is not None

    async def leave(self, *, reset: bool = False) -> None:
        """Close the connection, as a client does when it stops waiting."""
        self._reading.cancel()
        left = self.ended_at is None
        if left:
            self.ended_at = now()
        await self._wire.close(reset=reset)
        if left:
            self._over(self)
        self._tell()
