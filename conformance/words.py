"""Names shared by cases, drivers and reports: capabilities, time modes, kinds of errors."""

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
"""Capabilities that drivers do not declare; the kit probes them when a run starts. They say whether
the client's HTTP stack can tell a truncated body from a complete one: a body without its last
chunk, or with fewer bytes than its Content-Length. A case can require them.
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
