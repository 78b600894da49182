"""Names shared by cases, drivers and reports: capabilities, time modes and kinds of errors."""

from typing import Final

VIRTUAL_CLOCK: Final = "clock.virtual"
CREATE: Final = "create"
ATTACH: Final = "attach"
CAPABILITIES: Final = (
    CREATE,
    VIRTUAL_CLOCK,
    "clock.advance",
    "rng",
    "abort",
    "cancel",
    "concurrent",
    "callbacks.async",
    "config.backoff",
    "config.idle",
    ATTACH,
    "tls",
)
PROBED: Final = ("truncation.chunks", "truncation.length")
"""Capabilities that drivers do not declare; the kit probes for them when a run starts. They say
whether the client's HTTP stack notices that a body is truncated: that its last chunk is missing, or
that it has fewer bytes than its Content-Length. A case can require them.
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
