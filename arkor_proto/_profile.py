"""The revisions of the protocol; each one is a profile, which gives every named rule a value.

Other code never checks which profile is active; it checks the rule it needs.
"""

from enum import Enum
from typing import Final

from attrs import field, frozen

from arkor_proto._value import Value


class Progress(Enum):
    """What counts as progress.

    Progress resets the failure count, and a clean end of the stream after progress is not a failure.
    """

    ANY_FRAME = "any frame from the server"
    JSON_FRAME = "a frame whose data is valid JSON, except a ping"
    NEW_CURSOR = "a JSON frame that moves the cursor to a new value, or that has no id"


class CallbackErrors(Enum):
    """What an exception from the application's callback does to the wait."""

    RETRY = "counts as a failure: the stream is reopened, and the event is not redelivered"
    REJECT = "rejects the wait at once with that same exception"


_SUCCESS: Final = frozenset(range(200, 300))
_CLIENT_ERRORS: Final = frozenset(range(400, 500))


@frozen(kw_only=True, repr=False, eq=False)
class Profile(Value):
    """One revision of the protocol. Durations are in seconds; None means unbounded."""

    name: str
    progress: Progress
    callback_errors: CallbackErrors
    permanent_statuses: frozenset[int] = field(repr=False)
    """Response statuses that end the wait at once instead of being retried."""
    not_found_grace: float
    """How long after the create a 404 for the stream is retried instead of ending the wait."""
    stream_statuses: frozenset[int] = field(repr=False)
    """Statuses with which a response is read as a stream."""
    requires_event_stream: bool
    """Whether a response is read as a stream only if its media type is `text/event-stream`."""
    honours_server_delay: bool
    """Whether `retry:` and `Retry-After` set a minimum for the next delay, up to a cap."""
    spreads_clean_end: bool
    """Whether jitter also applies to the delay after a clean end of the stream."""
    byte_timeout: float | None
    """The longest allowed silence on an open stream."""
    progress_timeout: float | None
    """The longest allowed time without progress on an open stream, even if keep-alives arrive."""
    asks_for_the_job: bool
    """Whether the client asks for the job's state after a stream that delivered nothing new, or
    whose terminal frame was not JSON."""
    idempotency_key: bool
    """Whether create requests carry an `Idempotency-Key`; retries of one start use the same key."""
    refreshes_token: bool
    """Whether a request is repeated once after a 401, with a new token from the token provider."""

    @classmethod
    def named(cls, name: str) -> "Profile":
        """Return the profile called `name`, or raise a ValueError that lists the known names."""
        for profile in PROFILES:
            if profile.name == name:
                return profile
        known = ", ".join(profile.name for profile in PROFILES)
        msg = f"profile {name!r} is unknown; the profiles are {known}"
        raise ValueError(msg)


PROFILE_2026_05: Final = Profile(
    name="2026-05",
    progress=Progress.ANY_FRAME,
    callback_errors=CallbackErrors.RETRY,
    permanent_statuses=frozenset(),
    not_found_grace=0.0,
    stream_statuses=_SUCCESS,
    requires_event_stream=False,
    honours_server_delay=False,
    spreads_clean_end=False,
    byte_timeout=None,
    progress_timeout=None,
    asks_for_the_job=False,
    idempotency_key=False,
    refreshes_token=False,
)

PROFILE_2026_07: Final = Profile(
    name="2026-07",
    progress=Progress.JSON_FRAME,
    callback_errors=CallbackErrors.REJECT,
    permanent_statuses=frozenset({401, 403, 410, 426}),
    not_found_grace=0.0,
    stream_statuses=_SUCCESS,
    requires_event_stream=False,
    honours_server_delay=False,
    spreads_clean_end=False,
    byte_timeout=None,
    progress_timeout=None,
    asks_for_the_job=False,
    idempotency_key=False,
    refreshes_token=False,
)

HARDENED: Final = Profile(
    name="hardened",
    progress=Progress.NEW_CURSOR,
    callback_errors=CallbackErrors.REJECT,
    permanent_statuses=_CLIENT_ERRORS - {408, 409, 425, 429} | {204},
    not_found_grace=30.0,
    stream_statuses=frozenset({200}),
    requires_event_stream=True,
    honours_server_delay=True,
    spreads_clean_end=True,
    byte_timeout=45.0,
    progress_timeout=None,
    asks_for_the_job=True,
    idempotency_key=True,
    refreshes_token=True,
)

PROFILES: Final = (PROFILE_2026_05, PROFILE_2026_07, HARDENED)
