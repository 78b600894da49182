"""A case that judges a backend, and the decorator that declares it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from attrs import frozen

from conformance.casefile.model import Case
from conformance.casefile.requirements import Level, Requirement
from conformance.casefile.server import NOTHING

if TYPE_CHECKING:
    from conformance.backends.play import Play

FAMILIES: Final = (
    "create",
    "stream",
    "order",
    "resume",
    "end",
    "cancel",
    "isolation",
    "limits",
)
Steps = Callable[["Play"], Awaitable[None]]


@frozen(kw_only=True)
class BackendCase:
    """One case: its rules, its steps, and the control commands that it needs."""

    id: str
    requires: tuple[str, ...]
    why: str
    steps: Steps
    words: tuple[str, ...] = ()
    """The control commands that the case needs."""
    alone: bool = False
    """True if the case must run alone, because it restarts the backend or revokes a token."""
    passive: bool = False
    """True if the case only inspects the one job that the kit follows in every run."""
    slow: bool = False
    """True if the case is slow; slow cases are played first, so that the run finishes sooner."""
    uncontrolled: bool = False
    """True if the case needs a job that runs on its own, not one that a control program drives."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which a user can select the case."""
        return (self.id,)

    @property
    def family(self) -> str:
        """The first part of the id."""
        return self.id.partition(".")[0]

    def under(self, profile: str, requirements: Mapping[str, Requirement]) -> Case | None:
        """Return the case as reports need it; None if the profile has none of its rules."""
        rules = [requirements[rule] for rule in self.requires if rule in requirements]
        held = [rule for rule in rules if profile in rule.profiles and not rule.excluded]
        if not held:
            return None
        musts = any(rule.level is Level.MUST for rule in held)
        return Case(
            id=self.id,
            requires=tuple(rule.id for rule in held),
            level=Level.MUST if musts else Level.SHOULD,
            profiles=(profile,),
            needs=self.words,
            why=self.why,
            config={},
            server=NOTHING,
            hold=(),
            steps=(),
            expect=(),
            source={"id": self.id, "requires": list(self.requires), "why": self.why},
            since="2",
        )


_FOUND: Final[dict[str, BackendCase]] = {}


def case(
    identifier: str,
    *rules: str,
    words: Sequence[str] = (),
    alone: bool = False,
    passive: bool = False,
    slow: bool = False,
    uncontrolled: bool = False,
) -> Callable[[Steps], Steps]:
    """Declare a case; the docstring of the decorated function becomes its `why`."""

    def declare(steps: Steps) -> Steps:
        assert identifier not in _FOUND, f"{identifier} is declared twice"
        assert identifier.partition(".")[0] in FAMILIES, identifier
        doc = steps.__doc__ or ""
        assert doc, f"{identifier} has no docstring"
        _FOUND[identifier] = BackendCase(
            id=identifier,
            requires=tuple(rule if "-" in rule else f"ARK-SRV-{rule}" for rule in rules),
            why=" ".join(doc.split()),
            steps=steps,
            words=tuple(words),
            alone=alone,
            passive=passive,
            slow=slow,
            uncontrolled=uncontrolled,
        )
        return steps

    return declare


def declared() -> Mapping[str, BackendCase]:
    """Return the declared cases by id, grouped by family."""
    return {
        each.id: each for each in sorted(_FOUND.values(), key=lambda c: FAMILIES.index(c.family))
    }
