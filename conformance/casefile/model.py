# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""The data model of a case: its permanent id, its steps, and its expectations."""

from collections.abc import Mapping
from enum import Enum
from typing import Final, TypeAlias

from attrs import field, frozen

from conformance.casefile.requirements import Level
from conformance.casefile.server import Server
from conformance.expect.mismatch import Assertion
from conformance.expect.premise import Premise
from conformance.expect.request_shape import RequestShape
from conformance.strict_data import Json
from conformance.trace.names import EVENT
from mock_server.scenario.vocabulary import FRAMES, ScriptedFrame
from mock_server.strict.alternatives import one_or_more
from mock_server.strict.shapes import choice, flag, number, text
from mock_server.strict.words import needed, word

DEFAULT_CONFIG: Final[Mapping[str, Json]] = {
    "token": "{token}",
    "org": "kit-org",
    "project": "kit-project",
    "name": "{name}",
    "input": {"model": "kit/model", "dataset": {"type": "huggingface", "name": "kit/dataset"}},
}
"""The default configuration of a client; placeholders are filled in each time a case is played."""


class Verb(Enum):
    """The operations that a driver can perform with its client."""

    START = "start"
    WAIT = "wait"
    CANCEL = "cancel"
    ABORT = "abort"


_EVENTS: Final = one_or_more(EVENT)
_MILLISECONDS: Final = number(0, 2**53)


@frozen(kw_only=True)
class Operate:
    """Ask the driver to perform an operation, and wait for its answer unless `detached` is set."""

    verb: Verb = needed(choice(Verb), "the operation", name="do")
    name: str = word(
        text(),
        "the name of the operation [default: the value of do, numbered if it is used again: wait#2]",
        default="",
    )
    after: tuple[str, ...] = word(_EVENTS, "wait for these events first", default=())
    detached: bool = word(
        flag(),
        "whether the next step starts without waiting for the answer",
        default=False,
        name="detach",
    )


@frozen(kw_only=True)
class Await:
    """Wait for the driver's answer to a detached operation."""

    operation: str = needed(text(), "the operation", name="of")


@frozen(kw_only=True)
class Until:
    """Wait until these events are in the trace."""

    events: tuple[str, ...] = needed(_EVENTS, "the events", name="event")


@frozen(kw_only=True)
class Elapse:
    """End idle sleeps until `ms` of virtual time have passed or the event `until` occurs."""

    ms: float = needed(_MILLISECONDS, "how many milliseconds pass")
    after: tuple[str, ...] = word(_EVENTS, "wait for these events first", default=())
    until: str | None = word(EVENT, "stop early if this event occurs", default=None)


@frozen(kw_only=True)
class Advance:
    """Advance the clock by `ms`, and end only the sleeps that expire in that time."""

    ms: float = needed(_MILLISECONDS, "how many milliseconds pass")
    after: tuple[str, ...] = word(_EVENTS, "wait for these events first", default=())


@frozen(kw_only=True)
class Wake:
    """End a back-off sleep that the case's `hold` keeps from ending by itself."""

    sleep: str = needed(EVENT, "the sleep")
    after: tuple[str, ...] = word(_EVENTS, "wait for these events first", default=())


@frozen(kw_only=True)
class Push:
    """Append events to the job's log; the backend also sends them on the job's live streams."""

    frames: tuple[ScriptedFrame, ...] = needed(FRAMES, "the frames")
    after: tuple[str, ...] = word(_EVENTS, "wait for these events first", default=())


@frozen(kw_only=True)
class OpenGate:
    """Open one of the scenario's gates, so that whatever is waiting at it continues."""

    gate: str = needed(text(), "the gate")
    after: tuple[str, ...] = word(_EVENTS, "wait for these events first", default=())


Step: TypeAlias = Operate | Await | Until | Elapse | Advance | Wake | Push | OpenGate


@frozen(kw_only=True)
class Expectation:
    """An assertion, and the requirements that a client breaks if the assertion fails."""

    assertion: Assertion
    requires: tuple[str, ...]


@frozen(kw_only=True)
class Case:
    """One case; `source` is the expanded case as plain data."""

    id: str
    requires: tuple[str, ...]
    level: Level
    profiles: tuple[str, ...]
    needs: tuple[str, ...]
    why: str
    config: Mapping[str, Json]
    server: Server
    hold: tuple[str, ...]
    steps: tuple[Step, ...]
    expect: tuple[Expectation, ...]
    source: Mapping[str, Json]
    premise: tuple[Premise, ...] = ()
    """What the client must have done for the case's rules to be judged."""
    applies: tuple[RequestShape, ...] = ()
    """What the client's requests must look like for the case to apply to the client."""
    since: str = "1"
    """The version of the specification that introduced the case."""
    file: str = field(default="", eq=False)
    """The path of the case's file, as given; empty for a case from the catalogue."""

    @property
    def family(self) -> str:
        """The part of the id before the first dot."""
        return self.id.partition(".")[0]

    @property
    def template(self) -> str:
        """The id without the table row in brackets; all cases of a template share it."""
        return template_of(self.id)

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which users can select the case: its id and its template."""
        return tuple(dict.fromkeys((self.id, self.template)))


def template_of(identifier: str) -> str:
    """Return the name of a case's template: the case's id without the table row in brackets."""
    return identifier.partition("[")[0]
