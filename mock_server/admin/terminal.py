"""The terminal output of the process: a greeting with the addresses, and a live log.

If standard output is not a terminal, only the ready line is printed, for scripts to read.
"""

import shlex
import sys
from contextlib import suppress
from typing import Final
from urllib.parse import quote, urlencode

import anyio
from anyio import to_thread
from attrs import define, field, frozen

from mock_server.durable import one_line
from mock_server.journal.lines import ExchangeLines, timed
from mock_server.journal.records import Record
from mock_server.scenario.model import Scenario
from mock_server.server import MockServer
from mock_server.strict.shapes import count_of

_PACE: Final = 0.1
_SLOW: Final = 1.0
"""How many seconds an exchange may stay open before the log mentions it."""
_MOST_LINES: Final = 10_000
_BODY: Final = '{"name":"bot","config":{"model":"m"}}'


@frozen(kw_only=True)
class Places:
    """The addresses of the process, its admin token and its certificate."""

    base_url: str
    admin_url: str
    page_url: str
    token: str = field(repr=False)
    ca_path: str | None = None


def page_url(root: str, token: str) -> str:
    """Return the URL of the page; the token is in its fragment, which browsers do not send."""
    return f"{root}/#token={quote(token, safe='')}"


def greeting(scenario: Scenario, source: str, places: Places, *, proxy: bool, log: bool) -> str:
    """Return the greeting: the addresses, and example commands to paste."""
    told = " Below is the log, with one line for each exchange:" if log else ""
    return "\n".join(
        [
            f"arkor-mock: {one_line(source)}",
            f"  for clients   {places.base_url}",
            f"  page          {places.page_url}",
            f"  admin         {places.admin_url}  (token {places.token})",
            *([f"  certificate   {places.ca_path}"] if places.ca_path else []),
            "",
            "Try it in another terminal:",
            *_examples(scenario, places, proxy=proxy),
            "",
            f"Ctrl-C stops the mock.{told}",
            "",
        ]
    )


def source_of(scenario: Scenario, path: object, upstream: str | None) -> str:
    """Describe in a few words what is served."""
    content = [
        count_of(len(found), noun)
        for found, noun in ((scenario.jobs, "job"), (scenario.rules, "rule"))
        if found
    ]
    told = f" ({', '.join(content)})" if content else ""
    if upstream is None:
        return "serves jobs without faults" if path is None else f"serves {path}{told}"
    faults = "without faults" if path is None else f"with the faults from {path}{told}"
    return f"forwards requests to {upstream}, {faults}"


def _examples(scenario: Scenario, places: Places, *, proxy: bool) -> list[str]:
    backend = scenario.backend
    known = backend.token is not None or backend.tenants
    token = "THE_TOKEN_OF_THE_SCENARIO" if known else "t"
    first = backend.tenants[0] if backend.tenants else None
    query = ""
    if first is not None:
        where = {"orgSlug": first.org, "projectSlug": first.projects[0]}
        query = f"?{urlencode(where, quote_via=quote)}"
    header = f" -H 'Authorization: Bearer {token}'" if backend.authenticate else ""
    curl = f"curl{f' --cacert {places.ca_path}' if places.ca_path else ''}{header}"
    if proxy:
        return [f"  {curl} {places.base_url}/v1/me"]
    named = scenario.jobs[0].id if scenario.jobs else None
    job = quote(named or f"{backend.job_prefix}1", safe="")
    create = f"  {curl} -d '{_BODY}' {shlex.quote(f'{places.base_url}/v1/jobs{query}')}"
    follow = f"  {curl} -N {shlex.quote(f'{places.base_url}/v1/jobs/{job}/events/stream{query}')}"
    submitted = bool(scenario.jobs) and scenario.jobs[0].submitted
    return [follow] if submitted else [create, follow]


@define(eq=False)
class LiveLog:
    """Prints the exchanges of all servers in a process as they happen.

    Lines are written in a thread, so that a paused terminal (Ctrl-S) does not block connections.
    """

    _followed: dict[str, tuple[MockServer, ExchangeLines]] = field(
        factory=dict[str, tuple[MockServer, ExchangeLines]], init=False
    )
    _waiting: list[str] = field(factory=list[str], init=False)
    _left_out: int = field(default=0, init=False)
    _gates: dict[str, int] = field(factory=dict[str, int], init=False)

    def follow(self, name: str, server: MockServer) -> None:
        """Print a server's exchanges from now on, after its name unless it is the first server."""
        lines = ExchangeLines(server.rule_told)
        before = f"server {name}  " if self._followed else ""
        self._followed[name] = (server, lines)

        def take(record: Record) -> None:
            for line in lines.of(record):
                self._add(before + line)

        server.record_book.listen(take)

    def forget(self, name: str) -> None:
        """Stop following a server that has been stopped."""
        self._followed.pop(name, None)

    def _add(self, line: str) -> None:
        if len(self._waiting) < _MOST_LINES:
            self._waiting.append(line)
        else:
            self._left_out += 1

    async def run(self) -> None:
        """Write lines until cancelled; return silently if the terminal is gone."""
        while True:
            await anyio.sleep(_PACE)
            self._look()
            if self._waiting and not await to_thread.run_sync(
                _written, self._taken(), abandon_on_cancel=True
            ):
                return

    def close(self) -> None:
        """Write the remaining lines."""
        if self._waiting:
            _written(self._taken())

    def _taken(self) -> str:
        lines, left_out = self._waiting, self._left_out
        self._waiting, self._left_out = [], 0
        if left_out:
            lines = [*lines, f"({count_of(left_out, 'more line')} left out)"]
        return "".join(f"{line}\n" for line in lines)

    def _look(self) -> None:
        """Add lines about long exchanges, and about gates at which streams are waiting."""
        for name, (server, lines) in self._followed.items():
            now = server.record_book.now
            lines.keep(server.connections)
            for line in lines.still_open(now, _SLOW):
                self._add(line)
            for gate, count in server.gates.waiting.items():
                if count > self._gates.get(key := f"{name}/{gate}", 0):
                    waiting = f"{count_of(count, 'stream')} waiting at the gate {gate!r}"
                    self._add(timed(now, f"{waiting}; open the gate on the page"))
                self._gates[key] = count


def _written(text: str) -> bool:
    """Write to the terminal; return False if it is gone."""
    with suppress(OSError, ValueError):
        sys.stdout.write(text)
        sys.stdout.flush()
        return True
    return False
