"""Values that identify a case's requests: a unique token, a job name and job ids.

Cases contain placeholders for these values, which are filled in right before a case is played. A
request that carries one of the values belongs to the case, wherever and whenever it arrives.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, TypeAlias

from attrs import field, frozen

from mock_server.strict.words import changed

Draw: TypeAlias = Callable[[], str]
"""Returns a new nonce on each call, in lower-case hexadecimal digits."""
PLACEHOLDERS: Final = ("{token}", "{name}", "{job}", "{job2}")
_DIGITS: Final = 16
_NONCE: Final = re.compile(rf"[0-9a-f]{{{_DIGITS}}}")


def draw() -> str:
    """Return a nonce from the operating system's random source."""
    return secrets.token_hex(_DIGITS // 2)


@frozen
class Nonces:
    """The values that replace a case's placeholders in one play.

    `{job}` and `{job2}` are the ids of the first and the second job.
    """

    nonce: str = field(repr=False)
    token: str = field(default="", repr=False)
    """The token that the case itself specifies; empty if it does not specify one."""

    @property
    def job_prefix(self) -> str:
        """The prefix of the job ids that the backend assigns."""
        return f"job-{self.nonce}-"

    @property
    def values(self) -> Mapping[str, str]:
        """The value of each placeholder."""
        return {
            "{token}": f"token-{self.nonce}",
            "{name}": f"run-{self.nonce}",
            "{job}": f"{self.job_prefix}1",
            "{job2}": f"{self.job_prefix}2",
        }

    def fill(self, value: object) -> object:
        """Return `value` with the placeholders in all its strings filled in."""

        def change(part: object) -> object:
            if isinstance(part, str) and not isinstance(part, Enum):
                return self.text(part)
            return part

        return changed(value, change)

    def text(self, text: str) -> str:
        """Return `text` with all placeholders filled in."""
        if "{" in text:
            for placeholder, value in self.values.items():
                text = text.replace(placeholder, value)
        return text

    def plain(self, text: str) -> str:
        """Return `text` without the nonce, for readability: `job-1` instead of `job-4f…-1`."""
        return text.replace(f"-{self.nonce}", "")

    def claim(self, target: str, authorization: str, body: str) -> bool:
        """Return whether a request contains the nonce, or the token that the case specifies."""
        if any(self.nonce in text for text in (target, authorization, body)):
            return True
        return bool(self.token) and authorization == f"Bearer {self.token}"


def nonces_in(*texts: str) -> tuple[str, ...]:
    """Return every substring of `texts` that looks like a nonce."""
    return tuple(found for text in texts for found in _NONCE.findall(text))
