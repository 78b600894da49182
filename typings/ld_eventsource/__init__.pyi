from collections.abc import Iterator

from ld_eventsource.actions import Event
from ld_eventsource.config import ConnectStrategy, ErrorStrategy, RetryDelayStrategy

class SSEClient:
    def __init__(
        self,
        connect: ConnectStrategy,
        initial_retry_delay: float = 1,
        retry_delay_strategy: RetryDelayStrategy | None = None,
        *,
        error_strategy: ErrorStrategy | None = None,
        last_event_id: str | None = None,
    ) -> None: ...
    @property
    def events(self) -> Iterator[Event]: ...
    @property
    def last_event_id(self) -> str | None: ...
    def close(self) -> None: ...
