"""The options of a trainer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol

from attrs import frozen

from conformance.strict_data import Json
from tests.conformance.pooled.http import Place

BYTE_TIMEOUT_MS: Final = 45_000.0


class Clock(Protocol):
    """Time in milliseconds."""

    def now(self) -> float:
        """Return the time."""
        ...

    async def sleep(self, ms: float, purpose: str) -> None:
        """Return after `ms` milliseconds."""
        ...


@frozen(kw_only=True)
class Options:
    """The options of a trainer; durations are in milliseconds."""

    place: Place
    profile: str
    body: Mapping[str, Json]
    """The body of the create request."""
    hear: Callable[[str, Mapping[str, object]], Awaitable[None]]
    clock: Clock
    random: Callable[[], float]
    base: float = 1000.0
    cap: float = 60_000.0
    budget: float = float("inf")
    byte_timeout: float = BYTE_TIMEOUT_MS
    progress_timeout: float = float("inf")
    job: str | None = None
    last_event_id: str = ""
    idempotency_key: str | None = None
