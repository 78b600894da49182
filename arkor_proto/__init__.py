"""The Arkor trainer protocol: a sans-IO core with thin transports."""

from arkor_proto._errors import (
    Aborted,
    ArkorError,
    EventTooLarge,
    GaveUp,
    IdleTimeout,
    LocalProtocolError,
    ResponseError,
    StatusError,
    StreamEnded,
    TransportError,
    UnsendableCursor,
)
from arkor_proto._profile import (
    HARDENED,
    PROFILE_2026_05,
    PROFILE_2026_07,
    PROFILES,
    CallbackErrors,
    Profile,
    Progress,
)
from arkor_proto._version import __version__

__all__ = [
    "HARDENED",
    "PROFILES",
    "PROFILE_2026_05",
    "PROFILE_2026_07",
    "Aborted",
    "ArkorError",
    "CallbackErrors",
    "EventTooLarge",
    "GaveUp",
    "IdleTimeout",
    "LocalProtocolError",
    "Profile",
    "Progress",
    "ResponseError",
    "StatusError",
    "StreamEnded",
    "TransportError",
    "UnsendableCursor",
    "__version__",
]
