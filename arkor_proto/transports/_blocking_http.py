"""HTTP exchanges over plain sockets: connect, send and read, all in the exchange's thread.

That thread waits on non-blocking sockets, and only it closes them. Any other thread may `stop` the
exchange, which shuts the socket down and wakes the thread. Neither a name look-up nor a token
provider can be stopped, so each runs in its own thread, which is abandoned at the time limit.
"""

import errno
import math
import os
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Final, TypeAlias, TypeVar

import h11
from attrs import Factory, define, field

from arkor_proto._errors import NotConnected, TransportError
from arkor_proto._messages import Report
from arkor_proto._types import Request
from arkor_proto._wire import authorized
from arkor_proto.transports import _tcp
from arkor_proto.transports._blocking_clock import Bell, Clock, wait_for_socket
from arkor_proto.transports._http import Conversation, checked_token, is_unauthorized, no_token
from arkor_proto.transports._plain import check_done
from arkor_proto.transports._surface import CLOSED

FORKED: Final = (
    "client: it was in use when this process was forked; create a new client in this process"
)
_READ_SIZE: Final = 64 * 2**10
_MAX_IDLE: Final = 4
_LATER: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

_Connection: TypeAlias = tuple[socket.socket, h11.Connection]
_Found: TypeAlias = list[tuple[int, int, int, str, tuple[object, ...]]]
_Result = TypeVar("_Result")


@define(eq=False)
class Connector:
    """What a client's exchanges share: an address, time limits and a few idle connections.

    `provider`, if any, is called for a token before each request. `refreshes` says whether a
    request is sent again with a new token after a 401. Several threads may use one instance.
    """

    address: _tcp.Address
    timeouts: _tcp.Timeouts
    clock: Clock
    provider: Callable[[], object] | None = None
    refreshes: bool = False
    busy: set[Callable[[], None]] = field(init=False, factory=set[Callable[[], None]])
    """For each operation in progress, a function that ends it."""
    closed: bool = field(init=False, default=False)
    _owner: int = field(init=False, factory=os.getpid)
    _idle: list[_Connection] = field(init=False, factory=list[_Connection])

    @property
    def forked(self) -> bool:
        """Whether the process was forked while using the client: a lock may be held for ever."""
        pid = os.getpid()
        if self._owner != pid and not self.busy:
            self._close_idle()  # nothing was in progress, so the child can use the client
            self._owner = pid
        return self._owner != pid

    def check_usable(self) -> None:
        """Raise RuntimeError if the client was closed, or was in use when the process forked."""
        if self.closed or self.forked:
            raise RuntimeError(CLOSED if self.closed else FORKED)

    def close(self) -> None:
        """End the operations in progress, and close all idle connections."""
        self.closed = True
        for close in [] if self.forked else list(self.busy):
            close()
        self._close_idle()

    def usable(self) -> _Connection | None:
        """Return an idle connection that the peer has not closed, or None."""
        while (connection := self._pop()) is not None:
            if not _tcp.is_stale(connection[0]):
                return connection
            connection[0].close()
        return None

    def take_back(self, connection: _Connection) -> None:
        """Keep a reusable connection, or close it if enough are idle."""
        if self.closed or len(self._idle) >= _MAX_IDLE:
            connection[0].close()
        else:
            connection[1].start_next_cycle()
            self._idle.append(connection)

    def _close_idle(self) -> None:
        while (connection := self._pop()) is not None:
            connection[0].close()  # in a forked child, this does not affect the parent's connection

    def _pop(self) -> _Connection | None:
        with suppress(IndexError):  # another thread may have taken the last one
            return self._idle.pop()
        return None


@define(eq=False)
class Exchange:
    """One request and its response: call `wait` and `read` in turn until `over`, then `close`.

    `reuse` says whether an idle connection may be used (only for a request that may be sent twice)
    and, once the request has been sent, whether one was.
    """

    connector: Connector
    number: int
    request: Request
    reuse: bool = False
    bell: Bell = field(init=False, factory=Bell)
    """Wakes this exchange's thread if it is waiting for something other than a socket."""
    threadless: bool = field(init=False, default=False)
    """Whether starting a thread for this exchange failed."""
    _tokens: list[str] = field(init=False, factory=list[str])
    _conversation: Conversation = field(
        init=False,
        default=Factory(lambda self: Conversation(self.number, self.request), takes_self=True),
    )
    _socket: socket.socket | None = field(init=False, default=None)
    _guard: threading.Lock = field(init=False, factory=threading.Lock)
    """Prevents `stop` from shutting down a socket that `close` has closed or handed back."""
    _stopped: bool = field(init=False, default=False)
    _first: list[Report] = field(init=False, factory=list[Report])
    _limit: float = field(init=False, default=math.inf)

    @property
    def over(self) -> bool:
        """Whether the response has ended, successfully or not."""
        return self._conversation.over

    @property
    def unread(self) -> bool:
        """Whether a part of the response's body has arrived but has not been read yet."""
        held, answered = self._socket, self._conversation.answered
        return answered and held is not None and _tcp.is_ready(held, EVENT_READ)

    def wait(self, limit: float) -> bool:
        """Wait until there is something to read; return False if `limit` comes first.

        The first call also connects, sends the request and waits for the head of the response.
        """
        self._limit = limit
        if self._socket is not None:
            return self._ready(EVENT_READ)
        try:
            self._first = self._begin()
        except BaseException:
            self.stop()
            raise
        return True

    def read(self) -> list[Report]:
        """Return what has arrived, without waiting; a failure is reported as `Broken`."""
        first, self._first = self._first, []
        return first or self._receive()

    def tell_tokens(self, hide: Callable[[str], None]) -> None:
        """Call `hide` with each token that was sent; do this before the response is read."""
        while self._tokens:
            hide(self._tokens.pop(0))

    def stop(self) -> None:
        """End the exchange and wake its thread. Any thread may call this."""
        with self._guard, suppress(OSError):
            self._stopped = True
            if self._socket is not None:
                # SSLSocket.shutdown would also drop the TLS state that the other thread reads with.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        self.bell.ring()

    def close(self) -> None:
        """Return the connection to the connector if it can be reused, else close it."""
        with self._guard:
            held, self._socket = self._socket, None
            if held is not None and self._conversation.reusable and not self._stopped:
                self.connector.take_back((held, self._conversation.connection))
            elif held is not None:
                held.close()

    def _begin(self) -> list[Report]:
        reports = self._ask()
        if self._tokens and self.connector.refreshes and is_unauthorized(reports):
            self.close()
            self.reuse = False
            self._conversation = Conversation(self.number, self.request)
            reports = self._ask()
        return reports

    def _ask(self) -> list[Report]:
        """Send the request, with a token if there is a provider, and return the first reports."""
        if self.connector.provider is not None:
            try:
                token = self._token(self.connector.provider)
            except Exception as error:  # noqa: BLE001 - whatever it raises is reported
                self.reuse = False
                return [self._conversation.without_token(error)]
            self._tokens.append(token)
            self._conversation.request = authorized(self.request, token)
        try:
            connection = self.connector.usable() if self.reuse else None
            self.reuse = connection is not None
            if connection is None:
                self._connect()
            else:
                self._socket, self._conversation.connection = connection
            return self._head()
        except (OSError, TransportError) as error:
            return [self._broken(error)]

    def _token(self, provider: Callable[[], object]) -> str:
        limit = self.connector.timeouts.token
        deadline = self.connector.clock.time() + limit
        returned = self._aside(provider, "token", deadline, no_token(limit))
        if returned is not None:
            check_done("token", returned)
        return checked_token(returned)

    def _head(self) -> list[Report]:
        """Send the request; return the first reports, perhaps before the whole request is sent."""
        clock, limit = self.connector.clock, self.connector.timeouts.head
        deadline = clock.time() + limit
        left = memoryview(self._conversation.opening())
        ready = True
        while ready and clock.time() < deadline:  # interim responses may never end
            left = self._send(left) if left else left
            self._conversation.unsent = bool(left)
            reports = self._receive()
            if self._conversation.answered or self.over:
                return reports
            ready = self._ready(EVENT_READ | (EVENT_WRITE if left else 0), deadline)
        raise OSError(f"no response head within {limit} seconds")

    def _send(self, data: memoryview) -> memoryview:
        """Send as much as can be sent now; return the rest."""
        try:
            return data[self._open.send(data) :]
        except _LATER:
            return data
        except OSError:
            return data[:0]  # reading reports the lost connection, or an early response

    def _receive(self) -> list[Report]:
        try:
            data = self._open.recv(_READ_SIZE)
        except _LATER:
            return []
        except (OSError, TransportError) as error:
            return [self._broken(error)]
        return self._conversation.receive(data)

    def _broken(self, error: Exception) -> Report:
        why = str(error) if isinstance(error, TransportError) else _tcp.reason(error)
        kind = NotConnected if isinstance(error, NotConnected) else TransportError
        return self._conversation.broken(why, kind)

    @property
    def _open(self) -> socket.socket:
        if self._socket is None:
            raise TransportError("it was closed")
        return self._socket

    def _connect(self) -> None:
        """Connect to the first reachable address; each gets an equal share of the time."""
        address, clock = self.connector.address, self.connector.clock
        deadline = clock.time() + self.connector.timeouts.connect
        failures: list[Exception] = []
        try:
            found = self._look_up(deadline)
            for left, (family, kind, protocol, _, where) in zip(
                range(len(found), 0, -1), found, strict=True
            ):
                share = deadline - (deadline - clock.time()) * (left - 1) / left
                try:
                    # A system without this address family may have that of the next address.
                    self._hold(socket.socket(family, kind, protocol))
                    return self._reach(where, share)
                except OSError as error:
                    self.close()
                    failures.append(error)
        except (OSError, UnicodeError) as error:
            failures.append(error)
        reasons = "; ".join(dict.fromkeys(_tcp.reason(each) for each in failures))
        why = reasons or "the host name does not resolve"
        raise NotConnected(f"cannot connect to {address.host}:{address.port}: {why}")

    def _look_up(self, deadline: float) -> _Found:
        address = self.connector.address

        def ask() -> _Found:
            return [*socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)]

        return self._aside(ask, "look-up", deadline, self._too_late)

    def _aside(
        self, function: Callable[[], _Result], name: str, deadline: float, late: Exception
    ) -> _Result:
        """Return the result of a function that cannot be stopped, or raise `late` at `deadline`."""
        answer = Future[_Result]()

        def run() -> None:
            try:
                answer.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
                answer.set_exception(error)
            self.bell.ring()

        if not start_thread(run, f"arkor-{name}-{self.number}"):
            run()
        in_time = self._wait(self.bell.wait, deadline)
        self._check_running()
        if not in_time:
            raise late
        return answer.result()

    def _reach(self, where: tuple[object, ...], deadline: float) -> None:
        """Connect to an address, and do the TLS handshake if the connection uses TLS."""
        plain, context = self._open, self.connector.address.ssl_context
        plain.settimeout(0)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = plain.connect_ex(where)
        if code in {errno.EINPROGRESS, errno.EWOULDBLOCK}:
            self._need(self._ready(EVENT_WRITE, deadline))
            code = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        _tcp.keep_alive(plain)
        if context is None:
            return
        # Without a close_notify at its end, the data may have been cut off, so that is an error.
        secured = context.wrap_socket(
            plain,
            server_hostname=self.connector.address.server_name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        self._hold(secured)
        while (events := _tcp.shake_hands(secured)) is not None:
            self._need(self._ready(events, deadline))

    def _hold(self, held: socket.socket) -> None:
        """Record the socket that is now in use, for `stop` and `close`."""
        with self._guard:
            self._socket = held
        self._check_running()

    @property
    def _too_late(self) -> TimeoutError:
        return TimeoutError(f"no connection within {self.connector.timeouts.connect} seconds")

    def _check_running(self) -> None:
        """Raise OSError if the exchange was stopped."""
        if self._stopped:
            raise ConnectionAbortedError("it was stopped")

    def _need(self, in_time: bool) -> None:  # noqa: FBT001 - the result of a wait
        """Raise OSError if the exchange was stopped or the wait timed out."""
        self._check_running()
        if not in_time:
            raise self._too_late

    def _ready(self, events: int, deadline: float = math.inf) -> bool:
        return self._wait(partial(wait_for_socket, self._open, events), deadline)

    def _wait(self, wait: Callable[[float | None], bool], deadline: float) -> bool:
        until = min(deadline, self._limit)
        return self.connector.clock.wait(wait, None if until == math.inf else until, None)


def start_thread(function: Callable[[], None], name: str) -> bool:
    """Run a function in a thread; return False if none can start, as when Python 3.12 exits."""
    try:
        threading.Thread(target=function, name=name, daemon=True).start()
    except RuntimeError:
        return False
    return True
