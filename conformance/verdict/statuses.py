"""The closed words of a result: verdicts and exit statuses."""

from enum import Enum, IntEnum


class Verdict(Enum):
    """One case under one profile."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    WARN = "warn"
    INCONCLUSIVE = "inconclusive"
    NOT_APPLICABLE = "n/a"
    KNOWN_FAILURE = "known-failure"
    ERROR = "error"

    @property
    def fails(self) -> bool:
        """Whether the run fails because of it."""
        return self in {Verdict.FAIL, Verdict.INCONCLUSIVE}


class Exit(IntEnum):
    """What a command says at its end; 1 is a verdict and nothing else."""

    OK = 0
    FAILED = 1
    USAGE = 2
    """The command line asks for what does not exist or makes no sense."""
    UNUSABLE = 3
    """The kit or the driver failed, an input cannot be read, or the output cannot be written."""
    NOTHING_RAN = 4
    STALE_BASELINE = 5
