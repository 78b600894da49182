"""What a case is: an id that never changes, what it does to a client, and what it expects.

It knows the shape of a case and of its steps. It refuses to know TOML and the running of anything.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

from attrs import field, frozen

from conformance.casefile.requirements import Level
from conformance.expect.mismatch import Assertion
from conformance.expect.premise import Premise
from conformance.expect.request_shape import RequestShape
from conformance.strict_data import Json

DEFAULT_CONFIG: Final[Mapping[str, Json]] = {
    "token": "{token}",
    "org": "kit-org",
    "project": "kit-project",
    "name": "{name}",
    "input": {
        "model": "kit/model",
        "dataset": {"type": "huggingface", "name": "kit/dataset"},
    },
}
"""What a client is opened with where a case says nothing; the placeholders are filled per play."""


class Verb(Enum):
    """What a driver can be asked to do with its client."""

    START = "start"
    WAIT = "wait"
    CANCEL = "cancel"
    ABORT = "abort"


@frozen(kw_only=True)
class Operate:
    """Ask the driver for an operation; unless detached, its answer comes before the next step."""

    verb: Verb
    name: str
    after: tuple[str, ...] = ()
    detached: bool = False


@frozen(kw_only=True)
class Await:
    """Wait for the answer of a detached operation."""

    operation: str


@frozen(kw_only=True)
class Until:
    """Wait for events of the trace."""

    events: tuple[str, ...]


@frozen(kw_only=True)
class Elapse:
    """Let virtual time pass: end idle sleeps up to `ms` in total, or until an event."""

    ms: float
    after: tuple[str, ...] = ()
    until: str | None = None


@frozen(kw_only=True)
class Advance:
    """Move the clock on by `ms`: end those sleeps alone that are over by then."""

    ms: float
    after: tuple[str, ...] = ()


@frozen(kw_only=True)
class Wake:
    """End a held back-off sleep."""

    sleep: str
    after: tuple[str, ...] = ()


@frozen(kw_only=True)
class Push:
    """Append an event to the log of the job, into its live streams."""

    frames: tuple[Mapping[str, Json], ...]
    after: tuple[str, ...] = ()


@frozen(kw_only=True)
class OpenGate:
    """Open a gate of the scenario."""

    gate: str
    after: tuple[str, ...] = ()


Step: TypeAlias = Operate | Await | Until | Elapse | Advance | Wake | Push | OpenGate


@frozen(kw_only=True)
class Expectation:
    """An assertion and the requirements that a client breaks which does not meet it."""

    assertion: Assertion
    requires: tuple[str, ...]


@frozen(kw_only=True)
class Case:
    """One case. `server` has the words of a scenario, per route; `source` is the whole as data."""

    id: str
    requires: tuple[str, ...]
    level: Level
    profiles: tuple[str, ...]
    needs: tuple[str, ...]
    why: str
    config: Mapping[str, Json]
    server: Mapping[str, Json]
    hold: tuple[str, ...]
    steps: tuple[Step, ...]
    expect: tuple[Expectation, ...]
    source: Mapping[str, Json]
    premise: tuple[Premise, ...] = ()
    """What the client must have done before the rules of the case can be judged."""
    applies: tuple[RequestShape, ...] = ()
    """What the client's requests must look like for the case to apply to it at all."""
    since: str = "1"
    """The version of the specification in which the case appeared."""
    file: str = field(default="", eq=False)
    """The path of its file, as it was given; empty for a case of the catalogue."""

    @property
    def family(self) -> str:
        """The first part of the id."""
        return self.id.partition(".")[0]
