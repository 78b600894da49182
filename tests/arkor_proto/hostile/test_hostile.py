"""Each kind of hostile peer, on each transport, under each profile, ends as the table says."""

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypedDict

import anyio
import pytest
import trustme
from anyio import to_thread
from attrs import define, evolve, field

from arkor_proto import (
    PROFILES,
    Aborted,
    ArkorError,
    Bounds,
    GaveUp,
    Profile,
    Reconnecting,
    ReconnectPolicy,
    StatusError,
)
from arkor_proto.transports import anyio as asynchronous
from arkor_proto.transports import blocking
from arkor_proto.transports.anyio import Timeouts
from tests.arkor_proto.hostile.kinds import KINDS
from tests.arkor_proto.hostile.peers import WAITS, Call, Ends, Hostile, Place
from tests.arkor_proto.hostile.table import PATH, page
from tests.arkor_proto.transports.peer import Visit, listening, refused, unreachable

SOON: Final = 0.05
LONG: Final = Timeouts(connect=20.0, head=20.0, answer=20.0)
SHORT: Final = evolve(LONG, head=SOON, answer=SOON)
UNCONNECTED: Final = {Place.HANDSHAKE, Place.UNREACHABLE}
"""Places where the time to connect is what runs out; elsewhere a busy machine may need long for it."""
ENOUGH: Final = 3
"""So many reopenings, where the budget allows one, show that the client goes on."""
JOB: Final = "job-1"
JOB_LINE: Final = f"GET /v1/jobs/{JOB}?orgSlug=&projectSlug="


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def timeouts_for(kind: Hostile) -> Timeouts:
    """Return limits that a slow peer exceeds, and no other."""
    if not kind.slow:
        return LONG
    return evolve(SHORT, connect=SOON) if kind.place in UNCONNECTED else SHORT


class Settings(TypedDict):
    """The arguments of either client."""

    token: str
    profile: Profile
    policy: ReconnectPolicy
    timeouts: Timeouts
    bounds: Bounds
    ssl_context: ssl.SSLContext


@define
class Encounter:
    """One hostile peer and the client that meets it; `said` is set once the peer has sent everything."""

    kind: Hostile
    said: anyio.Event = field(factory=anyio.Event)
    aborts: list[Callable[[str], None]] = field(factory=list[Callable[[str], None]])

    def abort(self, reason: str) -> None:
        """Abort the wait."""
        for abort in self.aborts:
            abort(reason)

    async def serve(self, visit: Visit) -> None:
        """Be the peer."""
        if self.kind.place is Place.HANDSHAKE:
            await visit.until_left()
            return
        if self.kind.place is Place.NOT_TLS:
            await visit.stream.receive()  # the beginning of a handshake, and no request
        elif (await visit.request()).line == JOB_LINE and self.kind.call is Call.WAIT:
            await visit.send(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")  # the job is not told
            return
        await visit.send(self.kind.sends)
        self.said.set()
        while self.kind.endless:
            await visit.send(self.kind.endless)
        if self.kind.place is Place.CUT:
            await visit.cut()
        elif self.kind.ends is Ends.RESET:
            await visit.reset()
        elif self.kind.ends is Ends.SILENT:
            await visit.until_left()


@asynccontextmanager
async def address_of(encounter: Encounter, authority: trustme.CA) -> AsyncGenerator[str, None]:
    """Yield the address of the peer."""
    place = encounter.kind.place
    if place is Place.REFUSED:
        yield refused()
    elif place is Place.NAMELESS:
        yield "http://no-such-name.invalid"
    elif place is Place.UNREACHABLE:
        async with unreachable() as address:
            yield address
    else:
        encrypted = {Place.TLS, Place.CUT, Place.UNTRUSTED, Place.MISNAMED, Place.UNEXPECTED_TLS}
        tls = _serving(place, authority) if place in encrypted else None
        async with listening(encounter.serve, tls=tls, host="localhost") as peer:
            scheme = "http" if place in {Place.PLAIN, Place.UNEXPECTED_TLS} else "https"
            yield f"{scheme}://{peer.base_url.partition('://')[2]}"


def _serving(place: Place, authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issuer = trustme.CA() if place is Place.UNTRUSTED else authority
    issuer.issue_cert("other.example" if place is Place.MISNAMED else "localhost").configure_cert(
        context
    )
    return context


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def words(error: ArkorError) -> str:
    """Return how a call ended that raised."""
    if isinstance(error, Aborted):
        return str(error.reason)
    if isinstance(error, GaveUp):
        return f"gives up ({_kind(error.cause)})"
    return f"raises {_kind(error)}"


def _kind(error: Exception) -> str:
    return f"StatusError {error.status}" if isinstance(error, StatusError) else type(error).__name__


def gone_on(abort: Callable[[str], None]) -> Callable[[Reconnecting], None]:
    """Return a hook that aborts a client that would go on for ever."""
    heard: list[Reconnecting] = []

    def hear(notice: Reconnecting) -> None:
        heard.append(notice)
        if len(heard) == ENOUGH:
            abort("keeps reconnecting")

    return hear


async def outcome(
    client: str, base_url: str, encounter: Encounter, profile: Profile, trusting: ssl.SSLContext
) -> str:
    """Make the call with one of the clients and return how it ended."""
    kind = encounter.kind
    settings: Settings = {
        "token": "tok-hostile-secret",
        "profile": profile,
        "policy": ReconnectPolicy(0.0, 0.0, max_attempts=1),
        "timeouts": timeouts_for(kind),
        "bounds": Bounds(
            event=16_384,
            create_body=16_384,
            create_wait=SOON if kind.slow else 20.0,
            error_body=8_192,
            error_wait=SOON if kind.slow else 20.0,
        ),
        "ssl_context": trusting,
    }
    waits = kind.call is Call.WAIT and kind.expected(PROFILES.index(_named(profile))) == WAITS
    if client == "anyio":
        return await _asynchronous(base_url, settings, encounter, waits=waits)
    return await _blocking(base_url, settings, encounter, waits=waits)


def _named(profile: Profile) -> Profile:
    return Profile.named(profile.name)


async def _asynchronous(
    base_url: str, settings: Settings, encounter: Encounter, *, waits: bool
) -> str:
    async with (
        asynchronous.ArkorClient(base_url, **settings) as client,
        anyio.create_task_group() as tasks,
    ):
        try:
            match encounter.kind.call:
                case Call.JOB:
                    await client.job(JOB)
                case Call.START:
                    await client.trainer(
                        "bot", model="m", dataset={"type": "huggingface", "name": "d"}
                    ).start()
                case Call.WAIT:
                    callbacks = asynchronous.Callbacks(on_reconnect=gone_on(encounter.abort))
                    trainer = client.attach(JOB, callbacks=callbacks)
                    encounter.aborts.append(trainer.abort)
                    if waits:

                        async def abort() -> None:
                            await encounter.said.wait()
                            trainer.abort(WAITS)

                        tasks.start_soon(abort)
                    await trainer.wait()
        except ArkorError as error:
            return words(error)
        finally:
            tasks.cancel_scope.cancel()
        return "resolves"
    raise AssertionError("the block ends with a result")


async def _blocking(base_url: str, settings: Settings, encounter: Encounter, *, waits: bool) -> str:
    with blocking.ArkorClient(base_url, **settings) as client:
        callbacks = blocking.Callbacks(on_reconnect=gone_on(encounter.abort))
        trainer = client.attach(JOB, callbacks=callbacks)
        encounter.aborts.append(trainer.abort)

        def call() -> str:
            try:
                match encounter.kind.call:
                    case Call.JOB:
                        client.job(JOB)
                    case Call.START:
                        client.trainer(
                            "bot", model="m", dataset={"type": "huggingface", "name": "d"}
                        ).start()
                    case Call.WAIT:
                        trainer.wait()
            except ArkorError as error:
                return words(error)
            return "resolves"

        ended: list[str] = []

        async def run() -> None:
            ended.append(await to_thread.run_sync(call))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            if waits:
                await encounter.said.wait()
                trainer.abort(WAITS)
        return ended[0]


TRANSPORTS: Final = {"blocking": "asyncio", "asyncio": "asyncio", "trio": "trio"}
QUICK: Final = ("asyncio", "hardened")
RUNS: Final = [
    pytest.param(
        TRANSPORTS[transport],
        "blocking" if transport == "blocking" else "anyio",
        profile,
        id=f"{transport}-{profile.name}",
        marks=[] if (transport, profile.name) == QUICK else [pytest.mark.thorough],
    )
    for transport in TRANSPORTS
    for profile in PROFILES
]


@pytest.mark.anyio
@pytest.mark.parametrize(("anyio_backend", "client", "profile"), RUNS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.call.value} {kind.name}")
async def test_a_hostile_peer_gets_the_outcome_of_the_table(
    kind: Hostile, client: str, profile: Profile, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    encounter = Encounter(kind)
    bounded = profile
    if kind.slow and profile.byte_timeout is not None:
        bounded = evolve(profile, byte_timeout=SOON)
    with anyio.fail_after(30):
        async with address_of(encounter, authority) as base_url:
            ended = await outcome(client, base_url, encounter, bounded, trusting)
    assert ended == kind.expected(PROFILES.index(profile))


def test_no_two_kinds_have_the_same_name() -> None:
    names = [(kind.call, kind.name) for kind in KINDS]
    assert len(set(names)) == len(names) > 80


def test_the_table_in_the_documents_is_up_to_date() -> None:
    assert PATH.read_text("utf-8") == page()
