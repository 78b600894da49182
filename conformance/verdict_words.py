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
    """What the process says at its end."""

    OK = 0
    FAILED = 1
    STALE_BASELINE = 2
    UNUSABLE = 3
    NOTHING_RAN = 4
