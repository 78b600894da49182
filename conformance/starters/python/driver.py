"""The driver: it opens a client for each of the kit's cases and classifies the client's errors.

Fill in the parts marked YOURS. The code that talks to the kit comes with the kit.
"""

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

try:
    import anyio
    from anyio import from_thread, to_thread

    from conformance.drivers.python.stdio import Desk, Failure, Provoked, serve
except ImportError as error:
    sys.exit(f"driver.py: {error}; run it with the Python in which the kit is installed")

from client import Aborted, Client, HttpError  # YOURS: your client instead

HELLO: Final[Mapping[str, Any]] = {
    "impl": "stand-in (replace it with your client)",  # YOURS: the name of your client
    "version": "0",
    # YOURS: the protocol revisions that it implements: 2026-05, 2026-07, hardened.
    "profiles": ["2026-07"],
    # YOURS: its capabilities. Any you leave out are not judged. See the guide, section 7.
    # Others: callbacks.async, concurrent, rng, clock.virtual, clock.advance, config.idle, attach.
    "capabilities": ["create", "cancel", "abort", "config.backoff"],
}
CALLBACKS: Final = {
    "training.started": "started",
    "training.log": "log",
    "checkpoint.saved": "checkpoint",
    "training.completed": "completed",
    "training.failed": "failed",
}


class Driven:
    """Adapts your client to the kit. The client's methods block, so they are run in threads."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def start(self) -> Mapping[str, Any]:
        """Submit the job."""
        return {"job_id": await _in_thread(self.client.start)}

    async def wait(self) -> Mapping[str, Any]:
        """Follow the job; return `{job, artifacts}`."""
        return await _in_thread(self.client.wait)

    async def cancel(self) -> None:
        """Ask the backend to stop the job."""
        await _in_thread(self.client.cancel)

    def abort(self, reason: str) -> None:
        """Make `wait` end."""
        self.client.abort(reason)


async def _in_thread(operation: Any) -> Any:
    # YOURS: if your client is asynchronous, await its operations instead.
    return await to_thread.run_sync(operation, abandon_on_cancel=True)


@asynccontextmanager
async def open_client(desk: Desk) -> AsyncGenerator[Driven, None]:
    """Open a client for one case; when the case is closed, abort whatever the client is doing."""
    config: Mapping[str, Any] = desk.config  # the guide, section 3, explains each key

    def heard(kind: str, data: Mapping[str, Any]) -> None:
        if kind in CALLBACKS:
            desk.report(CALLBACKS[kind], data)
            from_thread.run(desk.obey, CALLBACKS[kind])

    # YOURS: create your client with these settings. Where a case has none, use your own default.
    client = Client(
        config["base_url"],
        token=config["token"],
        org=config["org"],
        project=config["project"],
        name=config["name"],
        job=config["input"],
        retry=config.get("initial_ms", 1000) / 1000,
        on_event=heard,
    )
    try:
        yield Driven(client)
    finally:
        client.abort("the case is closed")


def explain(error: Exception) -> Failure:
    """Classify an error."""
    # YOURS: also `gave_up` (no attempts left) and `protocol` (a response that makes no sense).
    match error:
        case Provoked():
            return Failure("callback", str(error))
        case Aborted():
            return Failure("aborted", str(error))
        case HttpError():
            return Failure("http", str(error), error.status)
        case OSError():
            return Failure("transport", str(error))
        case _:
            return Failure("other", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    anyio.run(serve, HELLO, open_client, explain)
