"""The steps of a case: what the kit asks of the client and its backend, in order.

No step sleeps; a step can wait only for events.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import evolve

from conformance.casefile.model import (
    Advance,
    Await,
    Elapse,
    OpenGate,
    Operate,
    Push,
    Step,
    Until,
    Verb,
    Wake,
)
from conformance.trace.names import check_operation
from mock_server.scenario.gates import gates_of_frames, gates_of_job, gates_of_rule
from mock_server.scenario.model import Scenario
from mock_server.scenario.words.end import NEVER
from mock_server.strict.alternatives import tagged
from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import ScenarioError, Shape, is_table, nearest
from mock_server.strict.words import table

_KINDS: Final[Mapping[str, Shape[Step]]] = {
    **{verb.value: table(Operate, "an operation that the client performs") for verb in Verb},
    "await": table(Await, "a wait for the answer to an operation"),
    "until": table(Until, "a wait for events"),
    "elapse": table(Elapse, "time that passes"),
    "advance": table(Advance, "time that passes"),
    "wake": table(Wake, "the end of a sleep"),
    "push": table(Push, "an event to append to the job's log"),
    "open_gate": table(OpenGate, "a gate that opens"),
}
STEPS: Final = tuple(_KINDS)
_STEP: Final = tagged("do", "a step, such as {do = 'wait'}", _KINDS)


def _read(value: object, where: str) -> Step:
    if is_table(value) and value.get("do") == "sleep":
        raise ScenarioError(f"{where}: a case cannot sleep; use 'until' to wait for an event")
    return _STEP.read(value, where)


STEP: Final[Shape[Step]] = evolve(_STEP, read=_read)
"""A single step."""


def named(steps: Sequence[Step], where: str) -> tuple[Step, ...]:
    """Return the steps, with a name for every operation.

    If there are mistakes, raise a ScenarioError that lists them all. A step can refer only to
    operations of earlier steps.
    """
    found: list[Step] = []
    names: list[str] = []
    mistakes = Mistakes()
    for number, step in enumerate(steps, 1):
        place = f"{where} {number}"
        with mistakes.collected():
            for word, reference in references(step):
                check_operation(f"{place}.{word}", reference, names)
            found.append(_named(step, place, names))
    mistakes.settle()
    return tuple(found)


def default_name(verb: str, earlier: int) -> str:
    """Return the default name of an operation that follows `earlier` others with the same verb."""
    return f"{verb}#{earlier + 1}" if earlier else verb


def _named(step: Step, where: str, names: list[str]) -> Step:
    if isinstance(step, Await) and step.operation not in names:
        raise ScenarioError(
            f"{where}.of: {step.operation!r} is unknown; {nearest(step.operation, names)}"
        )
    if not isinstance(step, Operate):
        return step
    verb = step.verb.value
    earlier = sum(1 for name in names if name.partition("#")[0] == verb)
    default = default_name(verb, earlier)
    name = step.name or default
    if name.partition("#")[0] != verb:
        raise ScenarioError(
            f"{where}: {name!r} is not a name for the operation {verb!r}; write {default!r}"
        )
    if name in names:
        raise ScenarioError(f"{where}: another operation already has the name {name!r}")
    names.append(name)
    return evolve(step, name=name)


def references(step: Step) -> Iterator[tuple[str, str]]:
    """Yield each event that a step refers to, as a pair of the referring key and the event."""
    after = () if isinstance(step, Await | Until) else step.after
    yield from (("after", each) for each in after)
    match step:
        case Until(events=events):
            yield from (("event", each) for each in events)
        case Elapse(until=str(until)):
            yield "until", until
        case Wake(sleep=sleep):
            yield "sleep", sleep
        case _:
            pass


def operations_of(steps: Sequence[Step]) -> tuple[str, ...]:
    """Return the names of the operations in these steps, in order."""
    return tuple(step.name for step in steps if isinstance(step, Operate))


def check_gates(where: str, scenario: Scenario, steps: Sequence[Step]) -> None:
    """Raise ScenarioError if something waits at a gate that no step opens, or the reverse."""
    waited_at = {
        *(gate for rule in scenario.rules for gate in gates_of_rule(rule)),
        *(gate for job in scenario.jobs for gate in gates_of_job(job)),
        *(
            gate
            for step in steps
            if isinstance(step, Push)
            for gate in gates_of_frames(step.frames)
        ),
    } - {NEVER}
    opened = {step.gate for step in steps if isinstance(step, OpenGate)}
    for name in sorted(opened - waited_at):
        meant = nearest(name, waited_at) if waited_at else "the case has no gate to open"
        raise ScenarioError(f"{where}: opens the gate {name!r}, but nothing waits at it; {meant}")
    for name in sorted(waited_at - opened):
        meant = nearest(name, opened) if opened else f"to keep a gate closed, name it {NEVER!r}"
        raise ScenarioError(f"{where}: waits at the gate {name!r}, but no step opens it; {meant}")
