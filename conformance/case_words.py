"""The closed words that cases, drivers and reports share."""

from typing import Final

CAPABILITIES: Final = (
    "clock.virtual",
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
