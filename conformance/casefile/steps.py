"""The steps of a case: what is done to the client and its backend, one after the other.

It knows the closed set of steps. It refuses to know a sleep: steps wait on events, never on time.
"""

from collections.abc import Sequence

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
from conformance.strict_data import ReadingError, Table, word
from conformance.trace.names import check_reference

_VERBS = tuple(verb.value for verb in Verb)
STEPS = (*_VERBS, "await", "until", "elapse", "advance", "wake", "push", "open_gate")


def read_steps(tables: Sequence[Table]) -> tuple[Step, ...]:
    """Read the steps in order; raises ReadingError, for two operations of one name too."""
    steps: list[Step] = []
    names: list[str] = []
    for table in tables:
        step = _read(table, names)
        if isinstance(step, Operate):
            if step.name in names:
                raise ReadingError(table.where, f"a second operation {step.name!r}")
            names.append(step.name)
        table.finish()
        steps.append(step)
    return tuple(steps)


def _read(table: Table, names: Sequence[str]) -> Step:  # noqa: PLR0911 - one arm per step
    what = table.text("do")
    if what == "sleep":
        raise ReadingError(table.where, "a case never sleeps; 'until' waits for an event")
    after = _references(table, "after", names)
    match word(f"{table.where}: do", what, STEPS):
        case "await":
            return Await(operation=table.one_of("of", names))
        case "until":
            return Until(events=_references(table, "event", names))
        case "elapse":
            until = _references(table, "until", names)
            return Elapse(ms=table.number("ms"), after=after, until=until[0] if until else None)
        case "advance":
            return Advance(ms=table.number("ms"), after=after)
        case "wake":
            sleep = check_reference(table.where, table.text("sleep"), names)
            return Wake(sleep=sleep, after=after)
        case "push":
            frames = tuple(frame.values for frame in table.tables("frames"))
            return Push(frames=frames, after=after)
        case "open_gate":
            return OpenGate(gate=table.text("gate"), after=after)
        case verb:
            return _operate(table, Verb(verb), after, names)


def _operate(table: Table, verb: Verb, after: tuple[str, ...], names: Sequence[str]) -> Operate:
    earlier = sum(1 for name in names if name.partition("#")[0] == verb.value)
    default = verb.value if not earlier else f"{verb.value}#{earlier + 1}"
    name = table.text("name", default)
    if name.partition("#")[0] != verb.value:
        raise ReadingError(table.where, f"{name!r} names another operation; write {default!r}")
    return Operate(verb=verb, name=name, after=after, detached=table.flag("detach"))


def _references(table: Table, key: str, names: Sequence[str]) -> tuple[str, ...]:
    """Read one event or a list of them."""
    if not table.has(key):
        return ()
    found = (table.text(key),) if isinstance(table.values[key], str) else table.texts(key)
    return tuple(check_reference(f"{table.where}: {key}", name, names) for name in found)
