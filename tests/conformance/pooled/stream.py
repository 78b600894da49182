"""One open of the event stream, until its end, and the cursor, which lives longer."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

import anyio
import httpx
from attrs import define, field

from conformance.strict_data import Json
from tests.conformance.pooled.errors import Aborted, ConnectionFailed, HttpError, Setback
from tests.conformance.pooled.http import Wire, connection_errors
from tests.conformance.pooled.options import Options
from tests.conformance.pooled.rules import Backoff, is_permanent, parse_object, retry_after
from tests.conformance.pooled.sse import Block, EventReader

MOST_IDS: Final = 4096
_TERMINAL: Final = frozenset({"training.completed", "training.failed"})
_SAYS_TERMINAL: Final = re.compile(r'"type"\s*:\s*"training\.(completed|failed)"')
_QUOTED: Final = re.compile(r'"(?:\\.|[^"\\])*"')


@define
class Cursor:
    """The last event id, the ids seen before it, and the delay from `retry:`."""

    value: str
    floor: float = 0.0
    _ids: dict[str, None] = field(factory=dict[str, None], init=False)

    def move(self, block: Block) -> bool:
        """Move the cursor to a block; return whether its id is new."""
        if block.id is None:
            return True
        is_new = block.id not in self._ids
        self.value = block.id
        if block.data is not None:
            self.remember(block.id)
        return is_new

    def remember(self, cursor: str) -> None:
        """Remember that an id was seen."""
        self._ids[cursor] = None
        if len(self._ids) > MOST_IDS:
            del self._ids[next(iter(self._ids))]


@define(kw_only=True)
class Stream:
    """One open of the event stream, until its end."""

    options: Options
    wire: Wire
    job_id: str
    cursor: Cursor
    backoff: Backoff
    call: Callable[[Mapping[str, Json]], Awaitable[None]]
    is_new_job: Callable[[], bool]
    _progress_at: float = field(default=0.0, init=False)
    _progressed: bool = field(default=False, init=False)
    _empty: bool = field(default=True, init=False)
    _lost_the_end: bool = field(default=False, init=False)

    async def run(self) -> Mapping[str, Json] | None:
        """Return the terminal frame, or None after a clean end with progress; raise Setback.

        If the job turns out to be over, the frame is the job itself with type `job` (ARK-STR-18).
        """
        self._progress_at = self.options.clock.now()
        self.cursor.remember(self.cursor.value)
        resumed = bool(self.cursor.value)
        try:
            async with self.wire.stream(self.job_id, self.cursor.value) as response:
                await self._check(response)
                async for frame in self._frames(response):
                    if frame["type"] in {"end", "training.completed", "training.failed"}:
                        return frame
                    await self._deliver(frame)
        except ConnectionFailed as error:
            if (job := await self._job(asks=self._lost_the_end)) is not None:
                return job
            raise Setback(error) from error
        if (
            job := await self._job(asks=self._lost_the_end or (resumed and self._empty))
        ) is not None:
            return job
        if not self._progressed:
            raise Setback(ConnectionFailed("the stream ended without progress"))
        return None

    async def _job(self, *, asks: bool) -> Mapping[str, Json] | None:
        if not (asks and self.options.place.hardened):
            return None
        job = await self.wire.ended(self.job_id)
        return None if job is None else {"type": "job", "job": job}

    async def _check(self, response: httpx.Response) -> None:
        options = self.options
        status = response.status_code
        is_readable = response.is_success and not _is_unreadable(response)
        if is_readable and (not options.place.hardened or self._is_stream(response)):
            return
        if options.place.hardened:
            headers = response.headers
            asked = retry_after(headers.get("Retry-After", ""), headers.get("Date", ""))
            self.backoff.once_floor = asked
        refusal = (
            HttpError(status, "the answer is not an event stream")
            if response.is_success
            else await self.wire.refusal(response)
        )
        if is_permanent(options.profile, status, is_new_job=self.is_new_job()):
            raise refusal
        raise Setback(refusal)

    def _is_stream(self, response: httpx.Response) -> bool:
        # A comma inside quotes is not a separator.
        types = _QUOTED.sub("", response.headers.get("Content-Type", "")).split(",")
        names = {each.partition(";")[0].strip().lower() for each in types}
        return response.status_code == 200 and names == {"text/event-stream"}

    async def _frames(self, response: httpx.Response) -> AsyncGenerator[dict[str, Json], None]:
        reader = EventReader(self._asked)
        chunks = response.aiter_bytes()
        while (chunk := await self._next(chunks)) is not None:
            for block in reader.feed(chunk):
                frame = self._note(block)
                if frame is not None:
                    yield frame

    def _note(self, block: Block) -> dict[str, Json] | None:
        is_new = self.cursor.move(block)
        if block.data is None:
            return None
        frame = None if block.name == "ping" else parse_object(block.data)
        self._empty &= block.name == "ping"
        self._lost_the_end = (
            frame is None and (block.name in _TERMINAL or bool(_SAYS_TERMINAL.search(block.data)))
        ) or (frame is None and self._lost_the_end)
        profile = self.options.profile
        if profile == "2026-05" or (frame is not None and (profile == "2026-07" or is_new)):
            self._progressed = True
            self._progress_at = self.options.clock.now()
            self.backoff.failures = 0
        if block.name == "end":
            return {"type": "end"}
        return frame if frame is not None and isinstance(frame.get("type"), str) else None

    async def _deliver(self, frame: Mapping[str, Json]) -> None:
        try:
            await self.call(frame)
        except Aborted:
            raise
        except Exception as error:
            if self.options.profile == "2026-05":
                raise Setback(error) from error
            raise

    def _asked(self, ms: float) -> None:
        if self.options.place.hardened:
            self.backoff.lasting_floor = ms
            self.cursor.floor = ms

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        options = self.options
        if not options.place.hardened:
            return await _chunk(chunks)
        left = options.progress_timeout - (options.clock.now() - self._progress_at)
        got: list[bytes | None] = []
        broken: list[Exception] = []
        async with anyio.create_task_group() as group:

            async def watch() -> None:
                await options.clock.sleep(min(options.byte_timeout, left), "idle")
                group.cancel_scope.cancel()

            group.start_soon(watch)
            try:
                got.append(await _chunk(chunks))
            except ConnectionFailed as error:
                broken.append(error)
            group.cancel_scope.cancel()
        if broken:
            raise broken[0]
        if not got:
            raise ConnectionFailed("the stream is silent")
        return got[0]


def _is_unreadable(response: httpx.Response) -> bool:
    """Return whether the answer is encoded in a way that the request did not ask for."""
    codings = response.headers.get_list("Content-Encoding", split_commas=True)
    asked = response.request.headers.get_list("Accept-Encoding", split_commas=True)
    return bool({coding.strip().lower() for coding in codings} - {*asked, "identity", ""})


async def _chunk(chunks: AsyncIterator[bytes]) -> bytes | None:
    with connection_errors():
        return await anext(chunks, None)
