"""One serving process: the ready line, and everything that ends it.

A signal, the end of stdin, a lifetime or the admin ends it.
"""

import json
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext, suppress

import anyio
from attrs import field, frozen

from mock_server.admin.server import AdminServer
from mock_server.net.host_names import address_of
from mock_server.net.service import Origin
from mock_server.net.tls import throw_away_tls
from mock_server.scenario.model import Scenario


@frozen(kw_only=True)
class Process:
    """How the process listens and when it ends; `token` None makes a new one."""

    host: str = "127.0.0.1"
    port: int = 0
    admin_port: int = 0
    token: str | None = field(default=None, repr=False)
    remote: bool = False
    exit_on_stdin_eof: bool = False
    max_lifetime: float | None = None
    tls: bool = False
    names: tuple[str, ...] = ()
    """What the Host of a request to the admin may say, besides what is bound."""


async def serve(process: Process, scenario: Scenario, upstream: Origin | None = None) -> None:
    """Serve until a signal, the end of stdin, the lifetime or the admin ends it."""
    token = process.token or secrets.token_urlsafe(24)
    with throw_away_tls(*_certified(process)) if process.tls else nullcontext() as tls:
        async with until_ended(process) as shutdown:
            admin = AdminServer(
                token,
                process.host,
                process.admin_port,
                process.remote,
                upstream=upstream,
                tls=tls,
                shutdown=shutdown,
                names=process.names,
            )
            async with admin:
                server = await admin.start(scenario, process.port)
                ready = {"base_url": server.base_url, "admin_url": admin.url, "token": token}
                say_ready(ready if tls is None else {**ready, "ca_path": str(tls.ca_path)})
                await shutdown.wait()


def _certified(process: Process) -> set[str]:
    """Return the names that the certificate is for."""
    given = {name.rpartition(":")[0] or name for name in process.names if name.count(":") < 2}  # noqa: PLR2004 - an IPv6 address
    return {process.host.strip("[]"), address_of(process.host), "localhost", "127.0.0.1", *given}


def say_ready(ready: Mapping[str, object]) -> None:
    """Print the one line that a parent waits for."""
    sys.stdout.write(json.dumps({**ready, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def until_ended(process: Process) -> AsyncGenerator[anyio.Event, None]:
    """Give an event that is set by the first thing that ends the process.

    Signals are caught from the start on, so that one that follows the ready line finds them so.
    """
    ended = anyio.Event()
    failure: Exception | None = None
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with anyio.create_task_group() as group:
            group.start_soon(_until_signal, signals, ended)
            if process.exit_on_stdin_eof:
                group.start_soon(_until_stdin_ends, ended)
            if process.max_lifetime is not None:
                group.start_soon(_until_time_is_over, process.max_lifetime, ended)
            try:
                yield ended
            except Exception as error:  # noqa: BLE001 - raised again, outside of the group
                failure = error
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _until_signal(signals: AsyncIterator[signal.Signals], ended: anyio.Event) -> None:
    async for _ in signals:
        ended.set()


async def _until_time_is_over(seconds: float, ended: anyio.Event) -> None:
    await anyio.sleep(seconds)
    ended.set()


async def _until_stdin_ends(ended: anyio.Event) -> None:
    """Read stdin to its end; in a thread, because it may be a file, which no loop can wait for.

    A thread that the interpreter does not wait for when another reason ends the process first.
    """
    if sys.stdin is None:  # closed from the start, and its number may be another file's by now
        ended.set()
        return
    here, there = socket.socketpair()
    threading.Thread(target=_drain_stdin, args=(there,), name="stdin", daemon=True).start()
    with here:
        await anyio.wait_readable(here)
    ended.set()


def _drain_stdin(done: socket.socket) -> None:
    """Close `done` when stdin has ended."""
    # A terminal that is gone, or not ours to read, is an end as well.
    with done, suppress(OSError):
        while os.read(0, 4096):
            pass
