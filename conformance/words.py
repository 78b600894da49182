"""The closed words that cases, drivers and reports share."""

from typing import Final

VIRTUAL_CLOCK: Final = "clock.virtual"
CAPABILITIES: Final = (
    VIRTUAL_CLOCK,
    "clock.advance",
    "rng",
    "abort",
    "cancel",
    "concurrent",
    "callbacks.async",
    "config.backoff",
    "config.idle",
    "attach",
    "tls",
)
PROBED: Final = ("truncation.chunks", "truncation.length")
"""What a case can need that no driver declares: whether the client's HTTP stack tells a body that
was cut off (chunks without the last one, fewer bytes than Content-Length) from one that ended. The
kit tries it out when a run begins.
"""
TIMES: Final = ("virtual", "scaled", "real")
ERROR_KINDS: Final = (
    "http",
    "aborted",
    "gave_up",
    "callback",
    "protocol",
    "transport",
    "unsupported",
    "other",
)
