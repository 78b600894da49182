"""How a real backend can fail its caller, as a value."""

from enum import StrEnum

from attrs import frozen


class Reason(StrEnum):
    """Why an upstream gave no answer, or only a part of one."""

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
    """What went wrong with an upstream; `why` is one line that quotes no byte of its answer."""

    reason: Reason
    why: str

    @property
    def status(self) -> int:
        """What a client is answered when nothing was sent to it yet (RFC 9110, 15.6.3, 15.6.5)."""
        return 504 if self.reason is Reason.TIMEOUT else 502
