"""The exceptions of this library.

The core puts them into outcomes as values, and a transport raises them. If the core itself raises
one, the caller has a bug (`LocalProtocolError`); remote failures reach the application as the
outcome of an operation.
"""

from collections.abc import Mapping

from arkor_proto._event import ServerSentEvent
from arkor_proto._text import error_words, words


class ArkorError(Exception):
    """Base class of every error that this library raises or puts into an outcome."""

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls the class with `args`, which fails for subclasses with other
        # signatures: their errors could not be pickled and sent to another process.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[ArkorError], args: tuple[object, ...], state: dict[str, object]
) -> ArkorError:
    error = kind.__new__(kind, *args)  # sets `args`, whatever the signature of `__init__`
    error.__dict__.update(state)
    return error


class LocalProtocolError(ArkorError):
    """The caller used the session incorrectly, which is a bug in the caller. No state changed."""


class EventTooLarge(ArkorError):
    """One event of a stream exceeded the size limit.

    `limit` is in bytes. `events` holds the complete events that the same `feed` call had
    parsed before it reached the limit; they would otherwise be lost.
    """

    def __init__(self, limit: int, events: tuple[ServerSentEvent, ...] = ()) -> None:
        super().__init__(
            f"event stream: an event is larger than {limit} bytes; "
            "raise max_event_size if the backend really sends events that large"
        )
        self.limit = limit
        self.events = events


class TransportError(ArkorError):
    """The network failed: no connection, a lost connection, or bytes that are not HTTP."""


class NotConnected(TransportError):
    """No connection was made, so nothing was sent: the backend cannot have acted on the request."""


class IdleTimeout(TransportError):
    """An open stream made no progress for longer than the profile allows (see ARK-IDL-1)."""


class StreamEnded(TransportError):
    """The stream ended without an error, but before delivering anything that counts as progress."""


class ResponseError(ArkorError):
    """The backend responded, but not as the protocol requires."""


class StatusError(ResponseError):
    """The backend refused the request.

    `status` is the HTTP status. `message` is the backend's error message: `error` from the JSON
    body, or else the raw text, or else `cloud-api <status>`. `body` is the JSON body, if there was
    one. `headers` holds the response's headers, with lower-case names.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message
        self.body: dict[str, object] = dict(body or {})
        self.headers: dict[str, str] = dict(headers or {})


class UnsendableCursor(ArkorError):
    """The last event id cannot be sent in a header, so the stream cannot be resumed (ARK-RES)."""

    def __init__(self, cursor: str, why: str) -> None:
        super().__init__(
            f"last event id {cursor[:64]!r}: {why}, so the stream cannot be resumed "
            "(an id has at most 1024 bytes: visible characters, with white space only between them)"
        )
        self.cursor = cursor


class GaveUp(ArkorError):
    """The failure budget is exhausted.

    `attempts` is the number of consecutive failures, and `cause` is the last error. With `job_id`
    and `cursor`, a later process can resume the stream where this one stopped.
    """

    def __init__(self, attempts: int, cause: Exception, *, job_id: str, cursor: str) -> None:
        last = words(cause) if isinstance(cause, ArkorError) else error_words(cause)
        tried = "1 failed attempt" if attempts == 1 else f"{attempts} failed attempts in a row"
        super().__init__(f"job {job_id}: gave up after {tried}; the last error: {last}")
        self.attempts = attempts
        self.cause = cause
        self.job_id = job_id
        self.cursor = cursor


class Aborted(ArkorError):
    """The local wait was aborted; the job continues. `reason` is the argument of `abort`."""

    def __init__(self, reason: object = None) -> None:
        super().__init__("the wait was aborted" if reason is None else f"aborted: {words(reason)}")
        self.reason = reason
