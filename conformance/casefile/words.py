# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""The vocabulary of case files."""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from conformance.casefile.model import Step
from conformance.casefile.requirements import PROFILE_NAMES, VERSION, Level
from conformance.casefile.server import NOTHING, SERVER, Server
from conformance.casefile.steps import STEP
from conformance.expect.words import AppliesWords, ExpectWords, PremiseWords
from conformance.strict_data import Json
from conformance.trace.events import CALLBACKS
from conformance.trace.names import EVENT
from conformance.words import CAPABILITIES, PROBED
from mock_server.strict.alternatives import converted, kept_table, matching, restricted
from mock_server.strict.shapes import (
    ScenarioError,
    Shape,
    anything,
    array,
    choice,
    integer,
    mapping,
    number,
    one_of,
    text,
)
from mock_server.strict.words import EMPTY, needed, table, word

_NUMBER: Final = number(0, 2**53)


@frozen(kw_only=True)
class Trigger:
    """A call of a callback."""

    callback: str = needed(one_of(CALLBACKS), "the callback")
    nth: int = word(
        integer(1, 1_000_000), "which call of this callback, counting from 1", default=1
    )


def _below_one(sample: float, where: str) -> float:
    if sample == 1:
        raise ScenarioError(f"{where}: {sample} is not below 1")
    return sample


_TRIGGER: Final = table(Trigger, "{callback = 'log', nth = 1}")
_SAMPLES: Final = array(
    restricted(converted(number(0, 1), _below_one), {"maximum": None, "exclusiveMaximum": 1})
)


@frozen(kw_only=True)
class Config:
    """The configuration of the client; the kit chooses the values that are left out."""

    token: str | None = word(text(), "the bearer token", default=None)
    org: str | None = word(text(), "the organisation", default=None)
    project: str | None = word(text(), "the project", default=None)
    name: str | None = word(text(), "the job's name", default=None)
    job: str | None = word(text(), "the id of an existing job", default=None)
    last_event_id: str | None = word(text(), "the cursor to resume from", default=None)
    initial_ms: float | None = word(_NUMBER, "the first delay", default=None)
    max_ms: float | None = word(_NUMBER, "the longest delay", default=None)
    max_attempts: float | None = word(
        _NUMBER, "how many failures in a row are allowed", default=None
    )
    idle_ms: float | None = word(_NUMBER, "how long a stream may be silent", default=None)
    progress_ms: float | None = word(
        _NUMBER, "how long a stream may go without progress", default=None
    )
    throw_in: Trigger | None = word(
        _TRIGGER, "the callback in which the application throws", default=None
    )
    abort_in: Trigger | None = word(
        _TRIGGER, "the callback in which the application aborts", default=None
    )
    cancel_in: Trigger | None = word(
        _TRIGGER, "the callback in which the application cancels the job", default=None
    )
    input: Mapping[str, Json] | None = word(
        mapping(anything()), "the config of the submitted job", default=None
    )
    rng: tuple[float, ...] = word(_SAMPLES, "the client's random numbers, in order", default=())


CONFIG: Final[Shape[Mapping[str, Json]]] = kept_table(table(Config, "a configuration"))


@frozen(kw_only=True)
class CaseWords:
    """One case, as written in a case file; a template also has the key `each`."""

    id: str = needed(
        matching(
            r"[a-z]+(\.[a-z0-9]+(-[a-z0-9]+)*)+(\[[^\[\]\s]+\])?",
            "an id, such as budget.ping-is-not-progress",
        ),
        "the id of the case, which never changes",
    )
    requires: tuple[str, ...] = needed(array(text(), least=1), "the rules that the case tests")
    level: Level = word(choice(Level), "the requirement level of the case", default=Level.MUST)
    profiles: tuple[str, ...] = word(
        array(one_of(PROFILE_NAMES)),
        "the profiles of the case [default: those in which all its rules apply]",
        default=(),
    )
    needs: tuple[str, ...] = word(
        array(one_of((*CAPABILITIES, *PROBED))),
        "the capabilities that the case requires",
        default=(),
    )
    why: str = needed(text(), "why the rule matters")
    config: Mapping[str, Json] = word(CONFIG, "the configuration of the client", default=EMPTY)
    server: Server = word(SERVER, "what the backend does", default=NOTHING)
    hold: tuple[str, ...] = word(
        array(EVENT), "the sleeps that last until a step ends them", default=()
    )
    steps: tuple[Step, ...] = word(array(STEP), "the steps", default=(), name="step")
    premise: PremiseWords = word(
        table(PremiseWords, "a premise"),
        "what must have happened for the rules to be judged",
        default=PremiseWords(),
    )
    applies: AppliesWords = word(
        table(AppliesWords, "a description of requests"),
        "what requests must look like for the case to apply",
        default=AppliesWords(),
    )
    expect: ExpectWords = needed(
        table(ExpectWords, "a table of expectations"), "what is expected of the client"
    )
    since: str = word(
        VERSION, "the version of the specification that introduced the case", default="1"
    )


CASE: Final[Shape[CaseWords]] = table(CaseWords, "a case")


@frozen(kw_only=True)
class FileWords:
    """A case file that lists any number of cases; a file can also consist of a single case."""

    cases: tuple[Mapping[str, Json], ...] = word(
        array(mapping(anything())), "the cases", default=(), name="case"
    )


FILE: Final[Shape[FileWords]] = table(FileWords, "a case file")
