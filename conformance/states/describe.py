"""Describe a counter-example move by move: what happened, and what the session did."""

from collections.abc import Callable, Iterator
from typing import Final, assert_never

from attrs import frozen

from arkor_proto import (
    Close,
    Deliver,
    Done,
    Idle,
    Notify,
    Output,
    Reconnecting,
    Rejected,
    Send,
    Settle,
)
from conformance.states.graph import Breach
from conformance.states.samples import call_of, place_of
from conformance.states.world import World

MOVES: Final = {
    "start": "the application calls start()",
    "follow": "the application calls wait()",
    "leave": "the application stops waiting",
    "cancel": "the application calls cancel()",
    "abort": "the application calls abort()",
    "handled": "the callback returns",
    "fails": "the callback raises an exception",
    "tick": "the delay ends",
    "create accepts": "the create request is accepted",
    "create refuses": "the create request gets a 500 response",
    "create breaks": "the create request's connection breaks",
    "cancel accepts": "the cancel request gets a 200 response",
    "cancel refuses": "the cancel request gets a 500 response",
    "cancel breaks": "the cancel request's connection breaks",
    "stream accepts": "the stream request gets a 200 response",
    "stream refuses": "the stream request gets a 500 response",
    "stream ends": "the stream ends cleanly",
    "stream breaks": "the stream's connection breaks",
    "stream ping": "a ping arrives",
    "stream noise": "a frame arrives whose data is not JSON",
    "stream event": "the next event arrives",
    "stream burst": "all remaining events arrive at once",
    "job runs": "the response to the job request says that the job is running",
    "job is over": "the response to the job request says that the job has completed",
    "job refuses": "the job request gets a 500 response",
    "job breaks": "the job request's connection breaks",
}


@frozen
class Told:
    """A description of one move, and of what the session did in response."""

    move: str
    did: tuple[str, ...]


def told(make: Callable[[], World], breach: Breach) -> Iterator[Told]:
    """Yield a description of each move of a breach, up to the one that breaks the promise."""
    world = make()
    world.outputs = []
    calls: dict[int, str] = {}
    for move in breach.moves:
        try:
            world.try_move(move)
        except Exception:  # noqa: BLE001 - the breach itself, which the caller reports
            yield Told(MOVES[move], tuple(_did(world.outputs, calls)))
            return
        yield Told(MOVES[move], tuple(_did(world.outputs, calls)))


def _did(outputs: list[Output], calls: dict[int, str]) -> Iterator[str]:
    for output in outputs:
        match output:
            case Send(number, request):
                calls[number] = call_of(request)
                cursor = dict(request.headers).get(b"Last-Event-ID")
                after = "" if cursor is None else f" with cursor {cursor.decode()!r}"
                yield f"sends a {calls[number]} request{after}"
            case Close(number):
                yield f"closes the {calls.get(number, 'unknown')} request"
            case Deliver(_, event):
                yield f"delivers event {place_of(event) + 1}"
            case Settle(operation, outcome):
                name = "wait" if operation.value == "follow" else operation.value
                if isinstance(outcome, Rejected):
                    yield f"rejects {name}(): {outcome.error}"
                else:
                    yield f"resolves {name}() with {type(outcome).__name__}"
            case Notify(Reconnecting(failures=failures)):
                row = "1 failure" if failures == 1 else f"{failures} failures in a row"
                yield f"plans to reopen the stream after {row if failures else 'a clean end'}"
            case Notify(notice):
                yield f"reports {type(notice).__name__}"
            case Idle() | Done():
                pass
            case never:
                assert_never(never)
