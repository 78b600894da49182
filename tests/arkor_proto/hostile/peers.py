"""What a hostile peer is: the bytes that it sends, how they end, and what a client makes of it."""

from enum import Enum
from typing import Final, TypeAlias

from attrs import field, frozen

STREAM: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED: Final = STREAM + b"Transfer-Encoding: chunked\r\n\r\n"
JSON: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED_JSON: Final = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
LAST: Final = b"0\r\n\r\n"
COMPLETED: Final = b'id: 9\ndata: {"type": "training.completed"}\n\n'
LOG: Final = b'id: 1\ndata: {"type": "training.log", "step": 1}\n\n'

Outcomes: TypeAlias = str | tuple[str, str, str]
"""How the call ends, in words; three where 2026-05, 2026-07 and hardened differ."""

WAITS: Final = "waits"
RESOLVES: Final = "resolves"
BROKEN: Final = "gives up (TransportError)"
NOT_CONNECTED: Final = "gives up (NotConnected)"
REFUSED: Final = "gives up (ResponseError)"
EMPTY: Final = "gives up (StreamEnded)"


class Call(Enum):
    """The call that the peer is hostile to."""

    WAIT = "wait()"
    START = "start()"
    JOB = "job()"


class Ends(Enum):
    """What the peer does once it has sent everything."""

    FIN = "closes the connection"
    RESET = "resets the connection"
    SILENT = "says nothing more"


class Place(Enum):
    """Whom the client finds at the address."""

    PLAIN = "a peer without TLS"
    TLS = "a peer with TLS"
    CUT = "a peer with TLS that ends without a close_notify"
    UNTRUSTED = "a peer whose certificate is not trusted"
    MISNAMED = "a peer with a certificate of another name"
    NOT_TLS = "a peer without TLS on an https address"
    UNEXPECTED_TLS = "a peer with TLS on an http address"
    HANDSHAKE = "a peer that never answers the handshake of TLS"
    REFUSED = "an address without a server"
    UNREACHABLE = "a peer that accepts no connection"
    NAMELESS = "a name without an address"


@frozen
class Hostile:
    """One kind of hostile peer.

    It sends `sends`, then `endless` again and again if that is not empty, and then `ends`. A peer
    that is `slow` shows in the client's limits of time, which are then short.
    """

    group: str
    name: str
    sends: bytes
    outcome: Outcomes
    endless: bytes = b""
    ends: Ends = Ends.FIN
    call: Call = Call.WAIT
    place: Place = Place.PLAIN
    slow: bool = False

    def expected(self, profile: int) -> str:
        """Return the outcome under one profile, by its number."""
        return self.outcome if isinstance(self.outcome, str) else self.outcome[profile]


@frozen
class Group:
    """A family of kinds that differ in little, given one by one."""

    name: str
    kinds: list[Hostile] = field(factory=list[Hostile])

    def add(
        self,
        name: str,
        sends: bytes,
        outcome: Outcomes,
        *,
        endless: bytes = b"",
        ends: Ends = Ends.FIN,
        call: Call = Call.WAIT,
        place: Place = Place.PLAIN,
        slow: bool = False,
    ) -> None:
        """Add a kind."""
        kind = Hostile(self.name, name, sends, outcome, endless, ends, call, place, slow)
        self.kinds.append(kind)


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream(*pieces: bytes) -> bytes:
    """Return a whole stream, each piece in a chunk of its own."""
    return CHUNKED + b"".join(chunk(piece) for piece in pieces) + LAST


def refusal(status: int, body: bytes = b"", *headers: bytes) -> bytes:
    """Return a whole answer with any status."""
    lines = [b"HTTP/1.1 %d No" % status, *headers, b"Content-Length: %d" % len(body), b"", b""]
    return b"\r\n".join(lines) + body


def answer(body: bytes) -> bytes:
    """Return a whole answer of JSON."""
    return JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body
