"""A transport of a third party, of plain sockets and threads, written from the guide alone.

The caller that waits runs the callbacks and the timers; each exchange has a thread and a connection
of its own. What a broken transport does otherwise is a method here.
"""

import queue
import socket
import ssl
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final, assert_never
from urllib.parse import urlsplit

import h11

from arkor_proto import (
    Abort,
    Accepted,
    Broken,
    Cancel,
    Close,
    Deliver,
    Done,
    Finished,
    Follow,
    Handled,
    Idle,
    Input,
    Notify,
    Operation,
    Outcome,
    Output,
    Received,
    Rejected,
    Request,
    Resolved,
    Responded,
    Send,
    Settle,
    Start,
    Tick,
    TrainingResult,
    TransportError,
)
from conformance.transport_suite import Setup

READ: Final = 64 * 2**10
CLOSED: Final = "the client was closed"


class Waiter:
    """Who waits for the next settlement of an operation."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None


class Plain:
    """A client of one trainer."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.session = setup.session()
        self.changed = threading.Condition(threading.RLock())
        self.waiters: dict[Operation, Waiter] = {}
        self.sockets: dict[int, socket.socket | None] = {}
        self.delivery: Deliver | None = None
        self.delivered = self.handled = 0
        self.in_callback = False
        self.idle = Idle()
        self.closed = False

    def start(self) -> str:
        """Submit the job."""
        outcome = self.operate(Operation.START, Start())
        assert isinstance(outcome, Accepted)
        return outcome.job_id

    def wait(self) -> TrainingResult:
        """Follow the job."""
        outcome = self.operate(Operation.FOLLOW, Follow())
        assert isinstance(outcome, Resolved)
        return outcome.result

    def cancel(self) -> None:
        """Cancel the job."""
        self.operate(Operation.CANCEL, Cancel())

    def abort(self, reason: object, /) -> None:
        """Abort the wait."""
        self.tell(Abort(reason))

    def close(self) -> None:
        """Let every caller go, and close every connection."""
        with self.changed:
            self.closed = True
            for number in list(self.sockets):
                self.close_exchange(number)
            for waiter in self.waiters.values():
                waiter.outcome = Rejected(TransportError(CLOSED))
            self.changed.notify_all()

    def operate(self, operation: Operation, imperative: Input) -> Outcome:
        """Ask for an operation, and work until it is settled."""
        with self.changed:
            if self.closed:
                raise RuntimeError(CLOSED)
            waiter = self.waiters.setdefault(operation, Waiter())
            self.tell(imperative)
            while waiter.outcome is None:
                if self.delivery is not None and operation is Operation.FOLLOW and self.may_call():
                    self.call_back(self.delivery)
                else:
                    self.rest()
        if isinstance(waiter.outcome, Rejected):
            raise waiter.outcome.error
        return waiter.outcome

    def may_call(self) -> bool:
        """Tell whether the next callback may begin."""
        return not self.in_callback

    def rest(self) -> None:
        """Wait for something to happen, or for the deadline of the session."""
        until, timer, clock = self.idle.until, self.idle.timer, self.setup.clock
        if until is None or timer is None:
            self.changed.wait()
        elif clock is None:
            self.changed.wait(max(0.0, self.deadline(until) - time.monotonic()))
            self.tick(until)
        elif clock.passes(self.deadline(until), timer):
            self.tick(until)
        else:
            self.changed.wait()

    def deadline(self, until: float) -> float:
        """Return when to tick for a deadline of the session."""
        return until

    def tick(self, until: float) -> None:
        """Tell the session that a deadline has passed."""
        if self.now() >= until:
            self.tell(Tick())

    def now(self) -> float:
        """Return the time."""
        return time.monotonic() if self.setup.clock is None else self.setup.clock.time()

    def call_back(self, delivery: Deliver) -> None:
        """Run a callback, without the lock."""
        self.delivery, self.in_callback = None, True
        error: Exception | None = None
        with self.unlocked():
            try:
                self.setup.on_event(delivery.event)
            except Exception as raised:  # noqa: BLE001 - the session decides what it means
                error = raised
        self.in_callback, self.handled = False, delivery.delivery
        self.tell(self.answer_of(delivery, error))

    def answer_of(self, delivery: Deliver, error: Exception | None) -> Handled:
        """Return what to tell the session of a callback."""
        return Handled(delivery.delivery, error)

    @contextmanager
    def unlocked(self) -> Generator[None, None, None]:
        """Release the lock for the length of a `with`."""
        self.changed.release()
        try:
            yield
        finally:
            self.changed.acquire()

    def tell(self, event: Input) -> None:
        """Give the session an input, and do what it says."""
        with self.changed:
            if self.closed:
                return
            self.session.handle(event, self.now())
            while not isinstance(output := self.session.poll(), Idle | Done):
                self.do(output)
            self.idle = output if isinstance(output, Idle) else Idle()
            self.changed.notify_all()

    def do(self, output: Output) -> None:
        """Do one thing that the session says."""
        match output:
            case Send(number, request):
                self.sockets[number] = None
                run = threading.Thread(target=self.exchange, args=(number, request), daemon=True)
                run.start()
            case Close(number):
                self.close_exchange(number)
            case Deliver():
                self.delivery, self.delivered = output, output.delivery
            case Notify(notice):
                with suppress(Exception):
                    self.setup.on_notice(notice)
            case Settle(operation, outcome):
                self.settle(operation, outcome)
            case Idle() | Done():
                pass
            case never:
                assert_never(never)

    def settle(self, operation: Operation, outcome: Outcome) -> None:
        """Let the callers of an operation go."""
        self.waiters.pop(operation).outcome = outcome
        if operation is Operation.FOLLOW:
            self.delivery = None

    def close_exchange(self, number: int) -> None:
        """End the connection of an exchange; its thread notices."""
        opened = self.sockets.pop(number, None)
        if opened is not None:
            with suppress(OSError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    def report(self, number: int, report: Responded | Received | Finished | Broken) -> bool:
        """Report what became of an exchange; False once it has been closed."""
        with self.changed:
            if number not in self.sockets:
                return False
            if isinstance(report, Finished | Broken):
                del self.sockets[number]
            before = self.delivered
            self.tell(report)
            if self.delivered != before:
                self.after_delivery()
            return number in self.sockets

    def after_delivery(self) -> None:
        """Read no further while a callback has yet to return."""
        while self.handled != self.delivered and self.waiters and not self.closed:
            self.changed.wait()

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
        """Return the connection once it is there; raises OSError."""
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
        """Let `Close` find a connection; raises OSError if it has come already."""
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
            if event is not h11.NEED_DATA and not going_on:
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
