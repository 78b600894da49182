"""HTTP exchanges over plain sockets, cut into steps that never block.

It knows sockets, TLS, the timeouts that belong to a connection, and which idle connection may be
used again. It refuses to wait: a step that cannot go on says what it needs, and whoever runs the
exchange does the waiting, so that any thread can take it over and none is stuck in it.
"""

import errno
import os
import selectors
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Final, TypeAlias, TypeVar

import h11
from attrs import define, evolve, field, frozen

from arkor_proto._errors import TransportError
from arkor_proto._messages import Report
from arkor_proto._types import Request
from arkor_proto.transports._http import Conversation, new_connection
from arkor_proto.transports._tcp import Address, Timeouts, check_owner, is_stale, keep_alive, reason

_READ_SIZE: Final = 64 * 2**10
_MAX_IDLE: Final = 4
_LATER: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Done = TypeVar("Done")


class DeadlinePassed(TimeoutError):
    """Thrown into an exchange whose need was not met in time."""


@frozen
class Need:
    """What an exchange waits for: `events` of `selectors`, before `deadline` if there is one."""

    socket: socket.socket
    events: int
    deadline: float | None = None


Steps: TypeAlias = Generator[Need | Report, None, None]
"""An exchange: goes on when it is resumed, yields what it needs and what it has to report."""

_Waiting: TypeAlias = Generator[Need, None, Done]


def resume(steps: Steps, *, late: bool) -> Need | Report | None:
    """Let an exchange go on, `late` when its need was not met in time; None when it is over."""
    try:
        return steps.throw(DeadlinePassed()) if late else next(steps)
    except StopIteration:
        return None


@define
class Connection:
    """An open connection, and what HTTP knows of it."""

    socket: socket.socket
    http: h11.Connection = field(factory=new_connection)
    owner: int = field(factory=os.getpid)
    """The process that opened it: no other one may use it."""

    def send_some(self, data: memoryview) -> memoryview:
        """Send what can be sent now; return the rest. Raises TransportError in a forked child."""
        check_owner(self.owner)
        try:
            return data[self.socket.send(data) :]
        except _LATER:
            return data
        except OSError:
            # The reader says what became of the connection, and of an answer that came before.
            return data[:0]

    def read(self) -> bytes | Need:
        """Return what is there, b"" at the end; a need when nothing is; never fill a block.

        Raises TransportError in a forked child.
        """
        check_owner(self.owner)
        try:
            return self.socket.recv(_READ_SIZE)
        except ssl.SSLWantWriteError:
            return Need(self.socket, selectors.EVENT_WRITE)
        except _LATER:
            return Need(self.socket, selectors.EVENT_READ)


@define
class Connector:
    """Makes exchanges with one address and keeps a few connections that can be used again.

    Safe to use from several threads. `time` is the clock of the deadlines, in seconds.
    """

    address: Address
    timeouts: Timeouts
    time: Callable[[], float]
    _idle: list[Connection] = field(init=False, factory=list[Connection])
    closed: bool = field(init=False, default=False)

    @property
    def has_idle(self) -> bool:
        """Whether a request may find a connection that is open already."""
        return any(connection.owner == os.getpid() for connection in self._idle)

    def close(self) -> None:
        """Close the idle connections, and keep none from now on."""
        self.closed = True
        while (connection := self._take_idle()) is not None:
            connection.socket.close()

    def steps(self, number: int, request: Request, *, reuse: bool = False) -> Steps:
        """Send `request` and report what comes back, as it comes; what fails is a `Broken`.

        Only the first step may block: it asks for the addresses of the host's name. `reuse` allows
        an idle connection, which is for requests that may be sent twice.
        """
        try:
            connection = self._usable() if reuse else None
            connection = connection or (yield from self._connect())
        except (OSError, UnicodeError) as error:
            where = f"{self.address.host}:{self.address.port}"
            yield Conversation(number, request).broken(f"none to {where}: {reason(error)}")
            return
        conversation = Conversation(number, request, connection.http)
        try:
            yield from self._converse(connection, conversation)
        except OSError as error:
            yield conversation.broken(reason(error))
        except TransportError as error:
            yield conversation.broken(str(error))
        finally:
            if conversation.reusable and not self.closed and len(self._idle) < _MAX_IDLE:
                connection.http.start_next_cycle()
                self._idle.append(connection)
            else:
                connection.socket.close()

    def _converse(self, connection: Connection, conversation: Conversation) -> Steps:
        try:
            reports = yield from self._head(connection, conversation)
        except DeadlinePassed:
            reports = [conversation.broken(f"no response head within {self.timeouts.head} seconds")]
        while True:
            yield from reports
            if conversation.over:
                return
            reports = []
            match connection.read():
                case Need() as need:
                    yield need
                case data:
                    reports = conversation.receive(data)

    def _head(
        self, connection: Connection, conversation: Conversation
    ) -> Generator[Need, None, list[Report]]:
        deadline = self.time() + self.timeouts.head
        left = memoryview(conversation.opening())
        conversation.unsent = True
        while self.time() < deadline:
            if left:
                left = connection.send_some(left)
                conversation.unsent = bool(left)
            # An answer may come before the request was read, and instead of it.
            data = connection.read()
            if isinstance(data, bytes):
                reports = conversation.receive(data)
                if conversation.answered or conversation.over:
                    return reports
            # Interim answers without end must not keep anybody from being heard.
            need = data if isinstance(data, Need) else Need(connection.socket, selectors.EVENT_READ)
            events = need.events | (selectors.EVENT_WRITE if left else 0)
            yield evolve(need, events=events, deadline=deadline)
        raise DeadlinePassed

    def _connect(self) -> _Waiting[Connection]:
        deadline = self.time() + self.timeouts.connect
        where = socket.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_STREAM)
        failures: list[OSError] = []
        for left, (family, kind, protocol, _, address) in zip(
            range(len(where), 0, -1), where, strict=True
        ):
            # An address that swallows packets leaves a fair share of the time to the others.
            share = deadline - (deadline - self.time()) * (left - 1) / left
            try:
                # A system without this family of addresses may well have the next one.
                connecting = socket.socket(family, kind, protocol)
                return (yield from self._reach(connecting, address, share))
            except DeadlinePassed:
                limit = self.timeouts.connect
                failures.append(TimeoutError(f"no connection within {limit} seconds"))
            except OSError as error:
                failures.append(error)
        said = dict.fromkeys(reason(each) for each in failures)
        raise OSError("; ".join(said) or "its name has no address")

    def _reach(
        self, connecting: socket.socket, address: tuple[object, ...], deadline: float
    ) -> _Waiting[Connection]:
        try:
            yield from _dial(connecting, address, deadline)
            keep_alive(connecting)
            return Connection((yield from self._secure(connecting, deadline)))
        except BaseException:
            connecting.close()
            raise

    def _secure(self, plain: socket.socket, deadline: float) -> _Waiting[socket.socket]:
        if self.address.ssl_context is None:
            return plain
        # A connection that was cut is not one that was closed: a ragged end is an error.
        secured = self.address.ssl_context.wrap_socket(
            plain,
            server_hostname=self.address.server_name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
        try:
            yield from _shake_hands(secured, deadline)
        except BaseException:
            secured.close()
            raise
        return secured

    def _usable(self) -> Connection | None:
        while (connection := self._take_idle()) is not None:
            if connection.owner == os.getpid() and not is_stale(connection.socket):
                return connection
            connection.socket.close()  # in a forked child that closes the child's end alone
        return None

    def _take_idle(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None


def _dial(
    connecting: socket.socket, address: tuple[object, ...], deadline: float
) -> _Waiting[None]:
    connecting.settimeout(0)
    connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    code = connecting.connect_ex(address)
    if code in {errno.EINPROGRESS, errno.EWOULDBLOCK}:
        yield Need(connecting, selectors.EVENT_WRITE, deadline)
        code = connecting.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def _shake_hands(secured: ssl.SSLSocket, deadline: float) -> _Waiting[None]:
    while True:
        try:
            secured.do_handshake()
        except ssl.SSLWantReadError:
            need = Need(secured, selectors.EVENT_READ, deadline)
        except ssl.SSLWantWriteError:
            need = Need(secured, selectors.EVENT_WRITE, deadline)
        else:
            return
        yield need
