"""The journal as lines for people: what each line says, and what gets no line."""

import pytest

from mock_server.journal.lines import ExchangeLines, lines_of
from mock_server.journal.records import (
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    ExchangeEnded,
    FrameSent,
    PortChanged,
    Record,
    RequestReceived,
    RequestRejected,
    ResponseStarted,
    RuleFired,
    UpstreamFailed,
)
from mock_server.scenario.vocabulary import Route

TARGET = "/v1/jobs/j/events/stream"


def asked(at: float = 1.0, target: str = TARGET, cursor: str | None = None) -> RequestReceived:
    return RequestReceived(
        *(1, at, 7, Route.STREAM, 2, "GET", target, ()),
        authorized=True,
        body=b"",
        json=None,
        job="j",
        last_event_id=cursor,
    )


def answered(status: int = 200, after: str | None = None) -> ResponseStarted:
    return ResponseStarted(2, 1.0, 7, Route.STREAM, 2, status, after)


def frame(number: int, name: str | None) -> FrameSent:
    return FrameSent(3, 1.0, 7, Route.STREAM, 2, number, name, None, None)


def ended(how: str = "eof", by: str = "server", at: float = 1.0) -> ExchangeEnded:
    return ExchangeEnded(4, at, 7, Route.STREAM, 2, how, by)


def texts(*records: Record) -> list[str]:
    return [line.partition(" s  ")[2] for line in lines_of(records, "rule text {}".format)]


def test_an_exchange_is_one_line_with_its_frames_and_its_end() -> None:
    (line,) = texts(asked(cursor="4"), answered(), frame(1, "5"), frame(2, None), ended("rst"))
    assert line == (
        f"stream 2: GET {TARGET} (Last-Event-ID '4') → 200, 2 frames (last id '5'), "
        "the server reset the connection"
    )


def test_a_polite_end_needs_no_words() -> None:
    assert texts(asked(), answered(503, "0.2"), ended()) == [
        f"stream 2: GET {TARGET} → 503, Retry-After 0.2"
    ]


def test_a_long_exchange_says_how_long_it_took() -> None:
    assert texts(asked(), answered(), ended(at=3.5))[0].endswith("→ 200, in 2.5 s")
    cut = texts(asked(), answered(), ended("fin", "client", 3.5))[0]
    assert cut.endswith("→ 200, the client closed the connection after 2.5 s")


def test_an_unanswered_exchange_is_told_as_such() -> None:
    assert texts(asked(), ended("short_chunk"))[0].endswith("→ ended by the server (short_chunk)")
    assert texts(asked(), ended())[0].endswith("→ no response")


def test_a_failed_upstream_is_part_of_the_line() -> None:
    failed = UpstreamFailed(2, 1.0, 7, Route.STREAM, 2, "dns", "no such host")
    assert texts(asked(), failed, answered(502), ended())[0].endswith(
        "→ 502, the upstream failed: dns"
    )


def test_a_rule_is_described_when_it_fires() -> None:
    assert texts(RuleFired(1, 1.0, 3)) == ["rule 3 fired: rule text 3"]


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            RequestRejected(1, 1.0, 7, 400, "bad head"),
            "connection 7: refused with 400: bad head",
        ),
        (
            RequestRejected(1, 1.0, 7, 421, "not ours", "GET", "/x"),
            "connection 7: GET /x refused with 421: not ours",
        ),
        (
            ConnectionFailed(1, 1.0, 7, "KeyError", "mock_server.x:3"),
            "connection 7: the mock failed: KeyError at mock_server.x:3",
        ),
        (PortChanged(1, 1.0, "down"), "the port is down: connections are refused"),
        (PortChanged(1, 1.0, "up"), "the port is up again"),
    ],
)
def test_what_is_no_exchange_has_a_line_too(record: Record, line: str) -> None:
    assert texts(record) == [line]


def test_a_connection_gets_a_line_only_if_the_server_ended_it_before_a_request() -> None:
    opened = ConnectionOpened(1, 1.0, 7)
    by_server = ConnectionClosed(2, 1.0, 7, "server", "rst")
    assert texts(opened, by_server) == [
        "connection 7: ended by the server before any request arrived"
    ]
    assert texts(opened, ConnectionClosed(2, 1.0, 7, "client", "fin")) == []
    assert len(texts(opened, asked(), answered(), ended(), by_server)) == 1


def test_a_connection_that_closes_within_an_exchange_ends_its_line() -> None:
    closed = ConnectionClosed(2, 1.0, 7, "client", "rst")
    assert texts(asked(), answered(), closed)[0].endswith("→ 200, the client reset the connection")


def test_an_open_exchange_is_described_once() -> None:
    lines = ExchangeLines(str)
    for record in (asked(), answered(), frame(1, "1")):
        assert lines.of(record) == []
    assert lines.still_open(1.5, least=1) == []
    assert lines.still_open(2.5, least=1) == [
        f"   2.500 s  stream 2: GET {TARGET} → 200, 1 frame (last id '1'), still open"
    ]
    assert lines.still_open(9.0) == []
    assert len(lines.of(ended())) == 1


def test_exchanges_of_connections_that_are_gone_are_forgotten() -> None:
    lines = ExchangeLines(str)
    lines.of(asked())
    lines.keep([8])
    assert lines.still_open(9.0) == []


def test_what_a_client_sent_cannot_control_a_terminal_or_fill_it() -> None:
    line = texts(asked(target="/\x1b[2J" + "x" * 500), ended())[0]
    assert "\\x1b[2J" in line
    assert "\x1b" not in line
    assert len(line) < 200
