"""Values that identify a case's requests: a unique token, job id and job name.

Cases contain placeholders, which are filled in right before a case is played. A request that
carries one of the three values belongs to the case, wherever and whenever it arrives.
"""

import re
import secrets
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final, TypeAlias

from attrs import field, frozen

from mock_server.strict.words import changed

Draw: TypeAlias = Callable[[], str]
"""Returns a nonce in lower-case hexadecimal digits, a different one on each call."""
PLACEHOLDERS: Final = ("{token}", "{name}", "{job}", "{job2}")
_DIGITS: Final = 16
_NONCE: Final = re.compile(rf"[0-9a-f]{{{_DIGITS}}}")


def draw() -> str:
    """Return a nonce from the operating system's random source."""
    return secrets.token_hex(_DIGITS // 2)


@frozen
class Nonces:
    """The values for playing a case once; `{job}` and `{job2}` are the ids of its two jobs."""

    nonce: str = field(repr=False)
    token: str = field(default="", repr=False)
    """The token, if the case specifies its own; empty otherwise."""

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
        """Return a value with the placeholders in all of its strings filled in."""

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
        """Return `text` for readers, without the nonce: `job-1` instead of `job-4f…-1`."""
        return text.replace(f"-{self.nonce}", "")

    def claim(self, target: str, authorization: str, body: str) -> bool:
        """Return whether a request has one of the nonces, or the token that the case specifies."""
        if any(self.nonce in text for text in (target, authorization, body)):
            return True
        return bool(self.token) and authorization == f"Bearer {self.token}"


def nonces_in(*texts: str) -> tuple[str, ...]:
    """Return every substring of `texts` that looks like a nonce."""
    return tuple(found for text in texts for found in _NONCE.findall(text))
