"""Hold a stream at the point between its replay and its live phase, for a test.

The replay is what was in the job's log when the stream was opened.
"""

import anyio
from attrs import define, field


@define(eq=False)
class Hold:
    """Holds one stream of a job between its replay and its live phase."""

    _held: anyio.Event = field(factory=anyio.Event, init=False)
    _released: anyio.Event = field(factory=anyio.Event, init=False)

    async def held(self) -> None:
        """Wait until a stream has sent its replay and is waiting to be released."""
        await self._held.wait()

    def release(self) -> None:
        """Release the held stream.

        A stream that reaches this point after the call passes straight through.
        """
        self._released.set()

    async def pass_by(self) -> None:
        """Hold the stream that calls this until it is released."""
        self._held.set()
        await self._released.wait()
