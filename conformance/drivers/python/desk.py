"""The interface between a Python driver's plumbing and its adapter: `Client` and `Desk`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from attrs import define, field, frozen

from conformance.drivers.python import lines
from conformance.drivers.python.clocks import Clock
from conformance.strict_data import Json


@frozen
class Failure:
    """How an operation failed, in the terms of `arkor-drive/1`."""

    kind: str
    message: str
    status: int | None = None

    def as_message(self) -> Mapping[str, Json]:
        """Return the failure as the value of `error` in an answer."""
        status = {} if self.status is None else {"status": self.status}
        return {"kind": self.kind, "message": self.message, **status}


class Provoked(Exception):
    """Raised in one of the driver's callbacks to make it fail, as the case asks."""


class Client(Protocol):
    """What an adapter provides to the kit for one case: the operations of the client."""

    async def start(self) -> Mapping[str, object]:
        """Submit the job; return `{job_id}`."""
        ...

    async def wait(self) -> Mapping[str, object]:
        """Follow the job to its end; return `{job, artifacts, …}`."""
        ...

    async def cancel(self) -> None:
        """Ask the backend to stop the job."""
        ...

    def abort(self, reason: str) -> None:
        """Abort `wait`; the job keeps running."""
        ...


@define
class Desk:
    """What the kit provides to an adapter for one case: a clock, random numbers and callbacks."""

    config: Mapping[str, Json]
    clock: Clock
    client: Client | None = None
    _say: Callable[[Mapping[str, object]], None] = field(default=lines.emit, alias="say")
    _called: dict[str, int] = field(factory=dict[str, int], init=False)
    _drawn: int = field(default=0, init=False)

    def random(self) -> float:
        """Return the next number from `rng`, starting over at its end; 0.5 if the case has none."""
        samples = self.config.get("rng")
        if isinstance(samples, str) or not isinstance(samples, list) or not samples:
            return 0.5
        sample = samples[self._drawn % len(samples)]
        self._drawn += 1
        return float(sample) if isinstance(sample, int | float) else 0.5

    async def heard(self, name: str, data: Mapping[str, object]) -> None:
        """Report a callback and do in it what the case asks for; raise Provoked to make it fail."""
        self.report(name, data)
        await self.obey(name)

    def report(self, name: str, data: Mapping[str, object]) -> None:
        """Report a callback. A client with threads calls this in the thread that runs it."""
        self._called[name] = self._called.get(name, 0) + 1
        self._say({"event": "callback", "name": name, "data": data})

    async def obey(self, name: str) -> None:
        """Do in the callback `name` what the case asks for; raise Provoked to make it fail."""
        if self._due("abort_in", name) and self.client:
            self.client.abort("aborted in a callback, as the case asks")
        if self._due("cancel_in", name) and self.client:
            await self.client.cancel()
        if self._due("throw_in", name):
            raise Provoked(f"thrown in the {name} callback, as the case asks")

    def _due(self, trigger: str, name: str) -> bool:
        wanted = self.config.get(trigger)
        if not isinstance(wanted, Mapping) or wanted.get("callback") != name:
            return False
        return wanted.get("nth", 1) == self._called[name]


Opener = Callable[[Desk], AbstractAsyncContextManager[Client]]
Explain = Callable[[Exception], Failure]


def reply(number: Json, failure: Failure | None = None) -> None:
    """Answer a command; a command without an id gets no answer."""
    if number is None:
        return
    lines.emit({"re": number, "ok": {}} if failure is None else refusal(number, failure))


def refusal(number: Json, failure: Failure) -> Mapping[str, object]:
    """Return the answer to a command that failed."""
    return {"re": number, "error": failure.as_message()}
