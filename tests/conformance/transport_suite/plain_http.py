"""One HTTP/1.1 exchange of the plain transport: a thread, a connection, h11 for the bytes."""

import queue
import socket
import ssl
import threading
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import h11

from arkor_proto import Broken, Finished, Received, Request, Responded, TransportError
from conformance.transport_suite import Setup

READ: Final = 64 * 2**10


class Exchanges(ABC):
    """Carries exchanges, each in a thread of its own."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.changed = threading.Condition(threading.RLock())
        self.sockets: dict[int, socket.socket | None] = {}
        """Those of the exchanges that neither side has ended; None before it is connected."""

    @abstractmethod
    def report(self, number: int, report: Responded | Received | Finished | Broken) -> bool:
        """Report what became of an exchange; False once it has been closed."""

    def close_exchange(self, number: int) -> None:
        """End the connection of an exchange; its thread notices."""
        opened = self.sockets.pop(number, None)
        if opened is not None:
            with suppress(OSError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    def exchange(self, number: int, request: Request) -> None:
        """Carry one exchange, in its thread."""
        opened: socket.socket | None = None
        try:
            opened = self.connect(number)
            self.converse(number, request, opened)
        except (OSError, TransportError, h11.RemoteProtocolError) as error:
            self.report(number, Broken(number, TransportError(self.why(error))))
        finally:
            if opened is not None:
                opened.close()

    def why(self, error: Exception) -> str:
        """Say what went wrong, without a word of the peer: it may be an echo of the token."""
        if isinstance(error, h11.RemoteProtocolError):
            return "the peer broke HTTP/1.1"
        return f"{urlsplit(self.setup.base_url).netloc}: {error}"

    def connect(self, number: int) -> socket.socket:
        """Open a connection within the time for it; the look-up, which may take longer, included."""
        end = time.monotonic() + self.setup.connect_timeout
        url = urlsplit(self.setup.base_url)
        found: queue.Queue[socket.socket | OSError] = queue.Queue()
        address = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)

        def open_one() -> None:
            try:
                found.put(socket.create_connection(address, self.setup.connect_timeout))
            except OSError as error:
                found.put(error)

        threading.Thread(target=open_one, daemon=True).start()
        opened = self.first(found, end)
        self.register(number, opened)
        if url.scheme != "https":
            return opened
        opened.settimeout(max(0.001, end - time.monotonic()))
        return self.secured(number, opened, address[0])

    def first(self, found: "queue.Queue[socket.socket | OSError]", end: float) -> socket.socket:
        """Return the connection once it is there; raise OSError."""
        try:
            opened = found.get(timeout=max(0.001, end - time.monotonic()))
        except queue.Empty:
            raise TimeoutError("no connection in time") from None
        if isinstance(opened, OSError):
            raise opened
        return opened

    def secured(self, number: int, opened: socket.socket, host: str) -> socket.socket:
        """Put TLS over a connection."""
        secure = self.tls().wrap_socket(
            opened,
            server_hostname=host,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        try:
            self.register(number, secure)
            secure.do_handshake()
        except OSError:
            secure.close()
            raise
        return secure

    def tls(self) -> ssl.SSLContext:
        """Return how to verify the server."""
        return self.setup.ssl_context or ssl.create_default_context()

    def register(self, number: int, opened: socket.socket) -> None:
        """Let `Close` find a connection; raise OSError if it has come already."""
        with self.changed:
            if number not in self.sockets:
                opened.close()
                raise ConnectionAbortedError("it was closed")
            self.sockets[number] = opened

    def converse(self, number: int, request: Request, opened: socket.socket) -> None:
        """Send a request, and report the answer."""
        http = h11.Connection(h11.CLIENT)
        head = h11.Request(
            method=request.method, target=request.target, headers=self.headers(request)
        )
        events = [head, h11.Data(data=request.body), h11.EndOfMessage()]
        self.send(opened, b"".join(http.send(event) or b"" for event in events))
        going_on = True
        end: float | None = time.monotonic() + self.setup.head_timeout
        while True:
            event = http.next_event()
            match event:
                case h11.NEED_DATA:
                    http.receive_data(self.read(opened, end))
                case h11.Response(status_code=status, headers=headers):
                    end = None
                    pairs = tuple((bytes(name), bytes(value)) for name, value in headers)
                    going_on = self.report(number, Responded(number, status, pairs))
                case h11.Data(data=data):
                    going_on = self.report(number, Received(number, bytes(data)))
                case h11.EndOfMessage():
                    self.report(number, Finished(number))
                    return
                case _:
                    going_on = self.interim(number, event)
            if not going_on:
                return

    def interim(self, number: int, event: object) -> bool:
        """Pass over an answer that is not final."""
        return number in self.sockets and isinstance(event, h11.InformationalResponse)

    def headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        """Return the headers to send."""
        return list(request.headers)

    def send(self, opened: socket.socket, data: bytes) -> None:
        """Send a request; a large one beside the reading, since the answer may come before its end."""
        if isinstance(opened, ssl.SSLSocket) or len(data) < READ:
            opened.sendall(data)
            return

        def send_all() -> None:
            with suppress(OSError):  # the reader says what became of the connection
                opened.sendall(data)

        opened.settimeout(None)
        threading.Thread(target=send_all, daemon=True).start()

    def read(self, opened: socket.socket, end: float | None) -> bytes:
        """Return what is there, before `end`, b"" at the end."""
        opened.settimeout(None if end is None else max(0.001, end - time.monotonic()))
        return opened.recv(READ)
