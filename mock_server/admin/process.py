"""Run the mock as a process: report that it is ready, and serve until it is stopped.

At a terminal, the process prints a greeting and then a live log; elsewhere, one line of JSON.
"""

import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import anyio
from attrs import field, frozen

from mock_server.admin.server import AdminServer
from mock_server.admin.terminal import LiveLog, Places, greeting, page_url, source_of
from mock_server.admin.watch import Watch
from mock_server.net.names.host_names import address_of
from mock_server.net.origin import Origin
from mock_server.net.tls.throw_away import throw_away_tls
from mock_server.scenario.model import Scenario
from mock_server.server import MockServer
from mock_server.stdin import Stdin


@frozen(kw_only=True)
class Process:
    """The settings of the process; if `token` is None, a random token is generated."""

    host: str = "127.0.0.1"
    port: int = 0
    admin_port: int = 0
    token: str | None = field(default=None, repr=False)
    remote: bool = False
    exit_on_stdin_eof: bool = False
    max_lifetime: float | None = None
    tls: bool = False
    names: tuple[str, ...] = ()
    """Additional host names by which clients may reach the admin API."""
    scenario_file: Path | None = None
    watch: bool = False
    """Whether to reload the scenario when its file changes."""
    upstream: str | None = None
    """The URL of the real backend, which the greeting shows."""
    quiet: bool = False
    """Whether to print no live log, even at a terminal."""


async def serve(process: Process, scenario: Scenario, upstream: Origin | None = None) -> None:
    """Serve until stopped by a signal, the end of stdin, the maximum lifetime or the admin API."""
    token = process.token or secrets.token_urlsafe(24)
    log = LiveLog() if sys.stdout.isatty() and not process.quiet else None
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
                log=log,
            )
            async with admin:
                server = await admin.start(scenario, process.port)
                places = Places(
                    base_url=server.base_url,
                    admin_url=admin.url,
                    page_url=page_url(admin.root, token),
                    token=token,
                    ca_path=None if tls is None else str(tls.ca_path),
                )
                _announce(process, scenario, places)
                async with _beside(process, server, log):
                    await shutdown.wait()


@asynccontextmanager
async def _beside(
    process: Process, server: MockServer, log: LiveLog | None
) -> AsyncGenerator[None, None]:
    """In the background, print the log and watch the scenario's file, each only if enabled."""
    async with anyio.create_task_group() as group:
        if log is not None:
            group.start_soon(log.run)
        if process.watch and process.scenario_file is not None:
            group.start_soon(Watch(process.scenario_file, server.scenario).run, server.load)
        try:
            yield
        finally:
            group.cancel_scope.cancel()
    if log is not None:
        log.close()


def _announce(process: Process, scenario: Scenario, places: Places) -> None:
    """Report that the process is ready, with a greeting at a terminal, or else a line of JSON."""
    if not sys.stdout.isatty():
        ready = {"base_url": places.base_url, "admin_url": places.admin_url, "token": places.token}
        say_ready(ready if places.ca_path is None else {**ready, "ca_path": places.ca_path})
        return
    source = source_of(scenario, process.scenario_file, process.upstream)
    log = not process.quiet
    sys.stdout.write(
        greeting(scenario, source, places, proxy=process.upstream is not None, log=log)
    )
    sys.stdout.flush()


def _certified(process: Process) -> set[str]:
    """Return the host names for which the certificate must be valid."""
    given = {name.rpartition(":")[0] or name for name in process.names if name.count(":") < 2}  # noqa: PLR2004 - an IPv6 address
    return {process.host.strip("[]"), address_of(process.host), "localhost", "127.0.0.1", *given}


def say_ready(ready: Mapping[str, object]) -> None:
    """Print the ready line, a JSON object that a parent process waits for."""
    sys.stdout.write(json.dumps({**ready, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()


@asynccontextmanager
async def until_ended(process: Process) -> AsyncGenerator[anyio.Event, None]:
    """Yield an event that is set when the process should end.

    Signal handlers are installed before the ready line is printed, so that no signal is missed.
    """
    ended = anyio.Event()
    failure: Exception | None = None
    with _signalled() as signalled:
        async with anyio.create_task_group() as group:
            group.start_soon(_until_signal, signalled, ended)
            if process.exit_on_stdin_eof:
                group.start_soon(_until_stdin_ends, ended)
            if process.max_lifetime is not None:
                group.start_soon(_until_time_is_over, process.max_lifetime, ended)
            try:
                yield ended
            except Exception as error:  # noqa: BLE001 - raised again, outside the group
                failure = error
            group.cancel_scope.cancel()
    if failure is not None:
        raise failure


@contextmanager
def _signalled() -> Generator[socket.socket, None, None]:
    """Yield a socket that becomes readable after a SIGTERM or SIGINT.

    A socket is used because event loops on Windows cannot wait for signals.
    """
    here, there = socket.socketpair()
    with here, there:
        there.setblocking(False)  # noqa: FBT003 - the standard library's signature
        before = {each: signal.signal(each, _ignore) for each in (signal.SIGTERM, signal.SIGINT)}
        woken = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        try:
            yield here
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing: the interpreter has already written the signal's number to the socket."""


async def _until_signal(signalled: socket.socket, ended: anyio.Event) -> None:
    await anyio.wait_readable(signalled)
    ended.set()


async def _until_time_is_over(seconds: float, ended: anyio.Event) -> None:
    await anyio.sleep(seconds)
    ended.set()


async def _until_stdin_ends(ended: anyio.Event) -> None:
    with Stdin() as stdin:
        while await stdin.read():
            pass
    ended.set()
