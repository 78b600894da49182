"""The result of the start-up probe: which truncated bodies the client's HTTP stack can detect."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from attrs import frozen

from conformance.words import PROBED

_FRAMING: Final[Mapping[str, str]] = {PROBED[0]: "chunked", PROBED[1]: "Content-Length"}
"""Maps each probed capability to the framing in which it detects a truncated body."""
_ABILITY: Final = "tell a truncated body from a complete one"


class Sight(Enum):
    """Whether a client can detect a truncated body; the values are written to `run.json`."""

    TOLD = "distinguished from a clean end"
    MISSED = "taken for a clean end"
    UNKNOWN = "not found out"


_ANSWER: Final[Mapping[Sight, str]] = {
    Sight.TOLD: "yes",
    Sight.MISSED: "no",
    Sight.UNKNOWN: "not known",
}


@frozen
class Stack:
    """The results of the probe, by capability; `why` explains an unknown result."""

    sights: Mapping[str, Sight]
    why: str = ""

    def lacking(self, needs: Sequence[str]) -> str:
        """Return why cases with these needs do not apply, or an empty string if they do."""
        for need in needs:
            sight = self.sights.get(need, Sight.UNKNOWN)
            if sight is not Sight.TOLD:
                if sight is Sight.MISSED:
                    return f"the client's HTTP stack lacks {need}: it cannot {_ABILITY}"
                why = f": {self.why}" if self.why else ""
                return f"the kit could not find out whether the client has {need}{why}"
        return ""

    def __str__(self) -> str:
        found = set(self.sights.values())
        head = f"This client cannot always {_ABILITY}"
        if found == {Sight.TOLD}:
            head = f"This client can {_ABILITY}"
        if found == {Sight.UNKNOWN}:
            head = f"The kit could not find out whether this client can {_ABILITY}"
        answers = ", ".join(
            f"{_FRAMING[name]}: {_ANSWER[each]}" for name, each in self.sights.items()
        )
        why = f": {self.why}" if self.why else ""
        return f"{head} ({answers}){why}."
