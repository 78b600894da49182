"""The names that cases, drivers and reports share: capabilities, time modes, kinds of errors."""

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
"""Abilities that a case can need and the kit tests by itself when a run begins: whether the client's
HTTP stack can tell a truncated body (no last chunk, fewer bytes than Content-Length) from a complete
one. Drivers do not declare them.
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
