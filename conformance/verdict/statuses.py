"""The possible verdicts on a case, and the exit statuses of `arkor-conformance`."""

from enum import Enum, IntEnum

from arkor_proto.cli import shell


class Verdict(Enum):
    """The verdict on one case under one profile."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "n/a"
    KNOWN_FAILURE = "known-failure"
    ERROR = "error"

    @property
    def fails(self) -> bool:
        """Whether this verdict makes the run fail."""
        return self in {Verdict.FAIL, Verdict.INCONCLUSIVE}

    @property
    def is_wrong(self) -> bool:
        """Whether the case needs a look: it failed, warned, was inconclusive or had an error."""
        return self.fails or self in {Verdict.WARN, Verdict.ERROR}


class Exit(IntEnum):
    """The exit statuses of `arkor-conformance`: the ones that all our commands share, and two more."""

    OK = shell.OK
    FAILED = shell.BAD
    UNUSABLE = shell.UNABLE
    """The kit or driver failed, a file could not be read, or the output could not be written."""
    NOTHING_RAN = 4
    STALE_BASELINE = 5
