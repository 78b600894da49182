"""Describe how a real backend failed: a reason and a sentence."""

from enum import StrEnum

from attrs import frozen


class Reason(StrEnum):
    """Why an upstream sent no answer, or only a part of one."""

    REFUSED = "refused"
    RESET = "reset"
    DNS = "dns"
    TLS = "tls"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    COMPRESSED = "compressed"


@frozen
class Failure:
    """What went wrong with an upstream; `why` is one line and never quotes the answer."""

    reason: Reason
    why: str

    @property
    def status(self) -> int:
        """The status for a client that was sent nothing yet (RFC 9110, 15.6.3, 15.6.5)."""
        return 504 if self.reason is Reason.TIMEOUT else 502
