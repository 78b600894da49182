"""The verdicts of a case and the exit statuses of a command."""

from enum import Enum, IntEnum


class Verdict(Enum):
    """The verdict of one case under one profile."""

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


class Exit(IntEnum):
    """The exit status of a command; 1 always means that the client failed."""

    OK = 0
    FAILED = 1
    USAGE = 2
    """The command line names something that does not exist, or makes no sense."""
    UNUSABLE = 3
    """The kit or the driver failed, an input cannot be read, or the output cannot be written."""
    NOTHING_RAN = 4
    STALE_BASELINE = 5
