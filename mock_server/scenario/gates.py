"""Find the gates at which a scenario waits, and refuse to open or shut any other gate."""

from collections.abc import Iterable, Iterator

from mock_server.scenario.model import JobPlan
from mock_server.scenario.rule import Rule
from mock_server.scenario.vocabulary import ScriptedFrame
from mock_server.scenario.words.end import NEVER
from mock_server.strict.shapes import ScenarioError, is_array, nearest


def gates_of_rule(rule: Rule) -> Iterator[str]:
    """Yield the names of the gates at which a rule waits."""
    if rule.end.stall is not None and rule.end.stall.gate is not None:
        yield rule.end.stall.gate
    scripted = (rule.frame.replace, *(rule.head.frames or ()))
    if rule.frame.inject is not None:
        scripted += (*rule.frame.inject.before, *rule.frame.inject.after)
    yield from gates_of_frames(frame for frame in scripted if frame is not None)


def gates_of_job(plan: JobPlan) -> Iterator[str]:
    """Yield the names of the gates at which a job's events wait."""
    if is_array(plan.events):
        yield from gates_of_frames(each for each in plan.events if isinstance(each, ScriptedFrame))


def gates_of_frames(frames: Iterable[ScriptedFrame]) -> Iterator[str]:
    """Yield the names of the gates at which frames wait."""
    for frame in frames:
        if frame.gate is not None:
            yield frame.gate


def check_gate(name: str, known: Iterable[str]) -> None:
    """Raise ScenarioError if nothing waits at this gate, or if it always stays shut."""
    names = sorted(set(known) - {NEVER})
    if name == NEVER:
        raise ScenarioError(f"gate: {NEVER!r} always stays shut; use a gate with a different name")
    if name not in names:
        meant = nearest(name, names) if names else "this scenario uses no gates"
        raise ScenarioError(f"gate: no rule, frame or job waits at {name!r}; {meant}")


def unopened(waited_at: Iterable[str], opened: Iterable[str]) -> list[str]:
    """Return a message for every gate that was waited at but never opened."""
    known = sorted(set(opened))
    return [
        f"gate {name!r}: something waited at it, but it was never opened"
        f"{f' (opened so far: {known}; ' + nearest(name, known) + ')' if known else ''}"
        f"; for a stall that must never end, name the gate {NEVER!r}"
        for name in sorted(set(waited_at) - set(known) - {NEVER})
    ]
