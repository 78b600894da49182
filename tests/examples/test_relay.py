"""The relay gives each browser the events after its own cursor, and shows it no token."""

import json
import re
import signal
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Final

import pytest
from attrs import define, field

from arkor_proto import EventStreamParser, ServerSentEvent
from mock_server import ConnectionClosed, Record
from mock_server.testing.sync import SyncMock
from tests.examples.running import EXAMPLES, PATIENCE, TOKEN, run, running

pytest.importorskip("starlette", reason="needs the package starlette")
pytest.importorskip("uvicorn", reason="needs the package uvicorn")

RELAY: Final = str(EXAMPLES / "starlette_relay.py")
OFTEN: Final = """
import sys, uvicorn, starlette_relay
starlette_relay.KEEP_ALIVE = 0.05
client = starlette_relay.ArkorClient(sys.argv[1], token="t")
uvicorn.run(starlette_relay.relay(client), port=0)
"""
"""The relay with a keep-alive twenty times a second."""
CUT: Final = {"on": {"route": "stream", "attempt": 1}, "after": {"frames": 1}, "end": "rst"}


@define
class Browser:
    """One response of the relay, read as it comes."""

    response: HTTPResponse
    raw: bytearray = field(factory=bytearray)
    parser: EventStreamParser = field(factory=EventStreamParser)
    events: list[ServerSentEvent] = field(factory=list[ServerSentEvent])

    def read(self) -> bytes:
        """Read what has come, b"" at the end."""
        data = self.response.read1(65536)
        self.raw += data
        self.events += self.parser.feed(data)
        return data

    def read_events(self, count: int) -> list[tuple[str, str]]:
        """Read until there are `count` events; return the cursor and the type of each."""
        while len(self.events) < count:
            assert self.read(), f"it ended after {self.events}"
        return [(each.last_event_id, _type(each)) for each in self.events]

    def read_all(self) -> list[tuple[str, str]]:
        """Read to the end; return the cursor and the type of each event."""
        while self.read():
            pass
        assert TOKEN.encode() not in self.raw
        return self.read_events(0)


def _type(event: ServerSentEvent) -> str:
    return event.type if event.type == "end" else json.loads(event.data)["type"]


@contextmanager
def serving(*arguments: str) -> Generator[int]:
    """Run the relay and yield its port; it ends at Ctrl-C and has had no error."""
    with running(*arguments) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"running on http://127\.0\.0\.1:(\d+)", line):
                yield int(found[1])
                break
        else:
            raise AssertionError("the relay did not start")
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in rest, rest
        assert "Warning" not in rest, rest


@contextmanager
def browser(port: int, *, job: str = "job-1", cursor: str = "") -> Generator[Browser]:
    """Follow a job as an EventSource does; it leaves at the end of the block."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        headers = {"Last-Event-ID": cursor} if cursor else {}
        connection.request("GET", f"/jobs/{job}", headers=headers)
        yield Browser(connection.getresponse())
    finally:
        connection.close()


def _left(record: Record) -> bool:
    return isinstance(record, ConnectionClosed) and record.by == "client"


@pytest.mark.scenario(CUT)
def test_each_browser_goes_on_at_its_own_cursor_over_an_outage(mock_server: SyncMock) -> None:
    mock_server.job(id="job-1", events=2, status="running")
    first = [("1", "training.started"), ("2", "training.log")]
    rest = [("3", "training.log"), ("4", "training.completed"), ("4", "end")]
    with serving(RELAY, mock_server.base_url, "0") as port, browser(port) as stays:
        assert stays.response.headers["Content-Type"].startswith("text/event-stream")
        assert stays.read_events(2) == first
        with browser(port) as leaves:
            assert leaves.read_events(2) == first
        mock_server.wait_until(_left)
        mock_server.push("job-1", json={"type": "training.log", "step": 2, "loss": 0.5})
        assert stays.read_events(3) == [*first, rest[0]]
        with browser(port, cursor="2") as returns:
            assert returns.read_events(1) == rest[:1]
            mock_server.push("job-1", json={"type": "training.completed"})
            assert returns.read_all() == rest
        assert stays.read_all() == [*first, *rest]
    asked = mock_server.verify.stream().times(4)
    assert [each.last_event_id for each in asked] == [None, "1", None, "2"]


def test_a_browser_that_returns_after_the_end_is_told_of_it(mock_server: SyncMock) -> None:
    mock_server.job(id="job-1", events=3)
    with serving(RELAY, mock_server.base_url, "0") as port:
        with browser(port) as early:
            cursor, _ = early.read_all()[-1]
        with browser(port, cursor=cursor) as late:
            assert late.read_all() == [("", "end")]


def test_a_silent_job_is_kept_alive_with_comments(mock_server: SyncMock) -> None:
    mock_server.job(id="job-1", events=1, status="running")
    with serving("-c", OFTEN, mock_server.base_url) as port, browser(port) as follows:
        follows.read_events(1)
        while follows.raw.count(b": keep-alive\n\n") < 3:
            assert follows.read()
        mock_server.push("job-1", json={"type": "training.completed"})
        assert follows.read_all() == [
            ("1", "training.started"),
            ("2", "training.completed"),
            ("2", "end"),
        ]


def test_the_follow_of_a_browser_ends_when_it_leaves_without_reading(
    mock_server: SyncMock,
) -> None:
    mock_server.job(id="job-1", events=1, status="running")
    with serving(RELAY, mock_server.base_url, "0") as port:
        with browser(port) as stuck:
            stuck.read_events(1)
            note = "x" * 2**20
            for step in range(20):
                mock_server.push("job-1", json={"type": "training.log", "step": step, "note": note})
            mock_server.wait_for("stream", frame=4)
        mock_server.wait_until(_left)


@pytest.mark.scenario(
    {"on": {"route": "stream"}, "status": 401, "json": {"error": f"{TOKEN} has expired"}},
    job=[{"id": "job-1", "submitted": True}],
)
def test_what_the_backend_says_of_the_token_shows_no_token(mock_server: SyncMock) -> None:
    with serving(RELAY, mock_server.base_url, "0") as port, browser(port) as refused:
        assert refused.read_all() == [("", "end")]
    assert refused.events[0].data.startswith("401: ")
    assert refused.events[0].data.endswith(" has expired")


def test_a_cursor_that_cannot_be_sent_on_is_a_bad_request(mock_server: SyncMock) -> None:
    with (
        serving(RELAY, mock_server.base_url, "0") as port,
        browser(port, cursor="x" * 2000) as wrong,
    ):
        assert wrong.response.status == 400
        assert b"last_event_id" in wrong.response.read()
    mock_server.verify.stream().never()


@pytest.mark.parametrize("arguments", [(), ("nowhere", "0"), ("http://h.example", "x")])
def test_what_is_wrong_with_the_arguments_is_one_line(arguments: tuple[str, ...]) -> None:
    done = run("starlette_relay.py", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert "BASE_URL PORT" in done.stderr
