"""The same scenario through both clients: the same callbacks, notices, results and requests."""

import inspect
from collections.abc import Mapping
from typing import Final, TypeAlias

import anyio
import pytest
from attrs import field, frozen

from arkor_proto import (
    PROFILES,
    ArkorError,
    Notice,
    Profile,
    Reconnecting,
    TrainingEvent,
    TrainingLog,
)
from arkor_proto.transports import anyio as asynchronous
from arkor_proto.transports import blocking
from mock_server import MockServer, Record, RequestReceived, scenario_from_dict
from tests.arkor_proto.blocking import fixtures_blocking
from tests.arkor_proto.transports import fixtures_anyio

Scenario: TypeAlias = Mapping[str, object]

STREAM: Final = {"route": "stream"}
PING: Final = {"event": "ping", "data": "{}"}
LOG: Final = {"id": "7", "json": {"type": "training.log", "step": 7, "loss": 0.5}}


def first(**words: object) -> Scenario:
    """Return a scenario in which something happens to the first stream."""
    return {"rule": [{"on": {**STREAM, "attempt": 1}, **words}]}


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "nothing happens": {},
    "a job fails": {"job": [{"events": 3, "status": "failed", "error": "no memory"}]},
    "a job of many events": {"job": [{"events": 300, "length": 2000}]},
    "events without ids": {"job": [{"ids": False}]},
    "the create is refused": {"rule": [{"on": {"route": "create"}, "status": 422}]},
    "the create is lost": {"rule": [{"on": {"route": "create"}, "lose": "response"}]},
    "a reset": first(after={"frames": 2}, end="rst"),
    "a clean end": first(after={"frames": 2}, end="eof"),
    "an end before anything": first(frames=[], end="eof"),
    "a cut chunk": first(after={"frames": 3}, end="short_chunk"),
    "a bad chunk": first(after={"frames": 3}, end="bad_chunk"),
    "one byte at a time": first(slice=1),
    "pings alone, then an end": first(frames=[PING, PING], end="eof"),
    "a frame that is no JSON": first(frames=[{"id": "5", "data": "no"}, LOG], end="rst"),
    "events twice": first(duplicate=1, on={**STREAM, "frame": "1-3"}),
    "an outage": {"rule": [{"on": {**STREAM, "attempt": "1-4"}, "status": 503}]},
    "an outage that says for how long": first(status=503, retry_after=7),
    "a wish for a delay": first(frames=[{"retry_ms": 9000}, LOG], end="eof"),
    "no end to the refusals": {"rule": [{"on": STREAM, "status": 500}]},
    "a token that is refused": {"rule": [{"on": STREAM, "status": 401}]},
    "a deprecation": first(headers={"Deprecation": "true", "Warning": '299 - "old"'}),
    "an upgrade": {"rule": [{"on": STREAM, "status": 426, "json": {"upgrade": "pip"}}]},
    "a redirect": first(redirect="/v1/jobs/job-1/events/stream?again=1"),
    "another media type": first(content_type="text/html", end="eof"),
    "an end event": first(frames=[LOG, {"event": "end", "data": "{}"}]),
    "an id that no header can carry": first(frames=[{**LOG, "id": "x" * 2000}], end="eof"),
}


@frozen
class Observed:
    """What an application has seen, and what the backend has."""

    heard: list[str] = field(factory=list[str])
    told: list[str] = field(factory=list[str])
    end: list[str] = field(factory=list[str])
    requests: list[tuple[str, str, tuple[tuple[str, str], ...], bytes]] = field(
        factory=list[tuple[str, str, tuple[tuple[str, str], ...], bytes]]
    )
    delays: list[float] = field(factory=list[float])

    def hear(self, event: TrainingEvent) -> None:
        """Take an event; the second step is more than the application can bear."""
        self.heard.append(repr(event))
        if isinstance(event, TrainingLog) and event.step == 2 and len(self.heard) < 4:
            raise LookupError("step 2")

    def notice(self, notice: Notice) -> None:
        """Take a notice."""
        self.told.append(repr(notice))
        if isinstance(notice, Reconnecting):
            self.delays.append(notice.delay)

    def request(self, record: Record) -> None:
        """Take a request; a key that is drawn at random is only said to be there."""
        if isinstance(record, RequestReceived):
            headers = [(k, "" if k == "idempotency-key" else v) for k, v in record.headers]
            kept = tuple((k, v) for k, v in headers if k != "host")
            self.requests.append((record.method, record.target, kept, record.body))


def seen_by_blocking(scenario: Scenario, profile: Profile) -> Observed:
    """Follow a job with the blocking client."""
    seen = Observed()
    callbacks = blocking.Callbacks(
        on_started=seen.hear,
        on_log=seen.hear,
        on_checkpoint=lambda checkpoint: seen.hear(checkpoint.saved),
        on_completed=seen.hear,
        on_failed=seen.hear,
        on_reconnect=seen.notice,
        on_notice=seen.notice,
    )
    with (
        fixtures_blocking.serving(**scenario) as backend,
        fixtures_blocking.client_of(backend.base_url, profile=profile, max_attempts=3) as client,
    ):
        try:
            seen.end.append(repr(fixtures_blocking.trainer_of(client, callbacks).wait()))
        except (ArkorError, LookupError) as error:
            seen.end.append(repr(error))
        for record in backend.journal:
            seen.request(record)
    return seen


async def seen_by_anyio(scenario: Scenario, profile: Profile) -> Observed:
    """Follow a job with the asynchronous client."""
    seen = Observed()
    callbacks = asynchronous.Callbacks(
        on_started=seen.hear,
        on_log=seen.hear,
        on_checkpoint=lambda checkpoint: seen.hear(checkpoint.saved),
        on_completed=seen.hear,
        on_failed=seen.hear,
        on_reconnect=seen.notice,
        on_notice=seen.notice,
    )
    async with (
        MockServer(scenario_from_dict(scenario)) as mock,
        fixtures_anyio.client_of(mock.base_url, profile=profile, max_attempts=3) as client,
    ):
        try:
            seen.end.append(repr(await fixtures_anyio.trainer_of(client, callbacks).wait()))
        except (ArkorError, LookupError) as error:
            seen.end.append(repr(error))
        for record in mock.journal:
            seen.request(record)
    return seen


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_both_clients_take_the_same_course(scenario: Scenario, profile: Profile) -> None:
    assert seen_by_blocking(scenario, profile) == anyio.run(seen_by_anyio, scenario, profile)


def methods(kind: type) -> dict[str, tuple[str | None, list[str]]]:
    """Return the text and the parameters of each public method, by name."""
    return {
        name: (inspect.getdoc(member), list(inspect.signature(member).parameters))
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name not in {"close", "drive"}  # each client's own
    }


@pytest.mark.parametrize("kind", ["ArkorClient", "Trainer", "Checkpoint"])
def test_both_clients_have_the_same_methods_with_the_same_texts(kind: str) -> None:
    of_blocking = methods(getattr(blocking, kind))
    assert all(text for text, _ in of_blocking.values())
    assert of_blocking == methods(getattr(asynchronous, kind))
