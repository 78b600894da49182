"""What a case about a backend is, and how one is declared."""

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
    """One case: its rules, what it does, and what it needs the control program for."""

    id: str
    requires: tuple[str, ...]
    why: str
    steps: Steps
    words: tuple[str, ...] = ()
    """The words of the control program without which it cannot be played."""
    alone: bool = False
    """Whether no other case may run meanwhile: it restarts the backend, or revokes a token."""
    passive: bool = False
    """Whether it only looks at the job that every run follows from its first second to its end."""
    slow: bool = False
    """Whether it takes so long that it begins first, so that nothing waits for it at the end."""
    uncontrolled: bool = False
    """Whether it is about a job that goes on by itself, which a control program's does not."""

    @property
    def names(self) -> tuple[str, ...]:
        """What a user may call it by."""
        return (self.id,)

    @property
    def family(self) -> str:
        """The first part of the id."""
        return self.id.partition(".")[0]

    def under(self, profile: str, requirements: Mapping[str, Requirement]) -> Case | None:
        """Return it as reports know a case, under a profile; None if no rule is in force there."""
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
    """Declare a case; the docstring of its function is its reason."""

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
    """Return the cases that were declared, by id, family by family."""
    return {
        each.id: each for each in sorted(_FOUND.values(), key=lambda c: FAMILIES.index(c.family))
    }
