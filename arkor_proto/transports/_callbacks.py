"""The application's callbacks, and the log lines for notices.

The transport decides what to do with a hook's result: the asynchronous client awaits it, the
blocking one does not.
"""

import logging
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeAlias, TypeVar, assert_never

from attrs import Attribute, field, frozen

from arkor_proto._checks import check_kind, wrong_kind
from arkor_proto._text import error_words, one_line, upgrade_words
from arkor_proto._types import (
    CallbackFailed,
    CheckpointSaved,
    Deprecated,
    FrameSkipped,
    Notice,
    Reconnecting,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingLog,
    TrainingStarted,
    UpgradeRequired,
)

Checkpoint = TypeVar("Checkpoint")
Event = TypeVar("Event")
Value = TypeVar("Value")
Hook: TypeAlias = Callable[[Event], object]


class Checkpointer(Protocol):
    """Saves the id of a job and the cursor, so that another process can resume the stream.

    It is called after the callback for an event has returned, in the same task or thread and before
    the next event. So whatever ends the process, no event is lost, and at most the current one is
    delivered twice. To resume, call `attach(job_id, last_event_id=…)`. An exception from the
    checkpointer is treated like one from a callback. If the application iterates over the
    events instead, the checkpointer is called when the application requests the next event.
    """

    def __call__(self, job_id: str, last_event_id: str, /) -> object:
        """Save both arguments; the asynchronous client awaits the result if it is awaitable."""
        ...


logger: Final = logging.getLogger("arkor_proto")


def _is_callable(_: object, attribute: "Attribute[Value]", value: Value) -> None:
    if value is not None and not callable(value):
        raise wrong_kind(attribute.name, value, "a function, or None")


def check_callbacks(callbacks: object) -> None:
    """Raise TypeError if `callbacks` is not a Callbacks object."""
    check_kind("callbacks", callbacks, Callbacks, "Callbacks, such as Callbacks(on_log=print)")


@frozen(kw_only=True)
class Callbacks(Generic[Checkpoint]):
    """The application's hooks, all of them optional; each `on_…` hook takes one argument.

    The five hooks for events are called one at a time, in stream order, and only inside `wait`; the
    profile decides what happens if one raises an exception. `on_reconnect` and `on_notice` get the
    client's notices; an exception from them is logged and has no other effect. Raises TypeError for
    a hook that is not callable.
    """

    on_started: Hook[TrainingStarted] | None = field(default=None, validator=_is_callable)
    on_log: Hook[TrainingLog] | None = field(default=None, validator=_is_callable)
    on_checkpoint: Hook[Checkpoint] | None = field(default=None, validator=_is_callable)
    on_completed: Hook[TrainingCompleted] | None = field(default=None, validator=_is_callable)
    on_failed: Hook[TrainingFailed] | None = field(default=None, validator=_is_callable)
    on_reconnect: Hook[Reconnecting] | None = field(default=None, validator=_is_callable)
    on_notice: Hook[Notice] | None = field(default=None, validator=_is_callable)
    checkpointer: Checkpointer | None = field(default=None, validator=_is_callable)

    def caller(
        self, checkpoint: Callable[[CheckpointSaved], Checkpoint]
    ) -> Callable[[TrainingEvent], object]:
        """Return a function that calls the hook for an event and returns its result.

        `checkpoint` turns the event into the argument of `on_checkpoint`.
        """
        on_log, on_started, on_checkpoint = self.on_log, self.on_started, self.on_checkpoint

        def call(event: TrainingEvent) -> object:
            match event:  # the most frequent first
                case TrainingLog():
                    return on_log(event) if on_log else None
                case TrainingStarted():
                    return on_started(event) if on_started else None
                case CheckpointSaved():
                    return on_checkpoint(checkpoint(event)) if on_checkpoint else None
                case TrainingCompleted():
                    return self.on_completed(event) if self.on_completed else None
                case TrainingFailed():
                    return self.on_failed(event) if self.on_failed else None
                case never:
                    assert_never(never)

        return call

    def announced(self, notice: Notice) -> object:
        """Log a notice, call its hook and return the hook's result."""
        log_notice(notice)
        return self.hooked(notice)

    def hooked(self, notice: Notice) -> object:
        """Call the hook for a notice and return its result; an exception from it is logged."""
        try:
            if isinstance(notice, Reconnecting):
                return self.on_reconnect(notice) if self.on_reconnect else None
            return self.on_notice(notice) if self.on_notice else None
        except Exception as error:  # noqa: BLE001 - an error in a hook does not end an operation
            log_hook_error(notice, error)
            return None


def log_hook_error(notice: Notice, error: Exception) -> None:
    """Log an exception from the hook for `notice`; it has no other effect."""
    logger.error("the hook for %s raised an exception", type(notice).__name__, exc_info=error)


def log_notice(notice: Notice) -> None:
    """Log a notice in one line; text from the backend is truncated and escaped (CWE-117)."""
    match notice:
        case Reconnecting(cause=None):
            logger.info("the stream ended; reconnecting in %.3g s", notice.delay)
        case Reconnecting():
            cause = one_line("" if notice.cause is None else error_words(notice.cause))
            logger.warning(
                "failure %d: %s; reconnecting in %.3g s", notice.failures, cause, notice.delay
            )
        case CallbackFailed(event, error):
            logger.error(
                "the callback for %s raised an exception", type(event).__name__, exc_info=error
            )
        case FrameSkipped(_, why):
            logger.warning("a frame was skipped: %s", one_line(why))
        case Deprecated(message, sunset):
            until = one_line(sunset or "not given")
            logger.warning("deprecated: %s (sunset: %s)", one_line(message), until)
        case UpgradeRequired(current, supported, upgrade):
            logger.warning("upgrade required: %s", upgrade_words(current, supported, upgrade))
        case never:
            assert_never(never)
