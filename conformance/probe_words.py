"""What the start-up probe can find out about the HTTP stack under a client."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from attrs import frozen

from conformance.case_words import PROBED

_WHAT: Final[Mapping[str, str]] = {
    PROBED[0]: "chunks without the last one are",
    PROBED[1]: "fewer bytes than Content-Length are",
}


class Sight(Enum):
    """Whether a body that was cut off looks cut off to a client."""

    TOLD = "told from a clean end"
    MISSED = "taken for a clean end"
    UNKNOWN = "not found out"


@frozen
class Stack:
    """What was found, by the words that a case can need; `why` says why something was not."""

    sights: Mapping[str, Sight]
    why: str = ""

    def lacking(self, needs: Sequence[str]) -> str:
        """Say why cases that need these do not apply, or nothing."""
        for need in needs:
            sight = self.sights.get(need, Sight.UNKNOWN)
            if sight is not Sight.TOLD:
                why = f": {self.why}" if sight is Sight.UNKNOWN and self.why else ""
                return f"the client's HTTP stack lacks {need}, a cut body is {sight.value}{why}"
        return ""

    def __str__(self) -> str:
        said = "; ".join(f"{_WHAT[name]} {sight.value}" for name, sight in self.sights.items())
        return f"start-up probe: {said}" + (f" ({self.why})" if self.why else "")
