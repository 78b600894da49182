"""Find the first step at which a client deviates from the reference in the same case.

Requests and back-offs have a fixed order among themselves, and so do callbacks. How the two are
interleaved differs between correct clients, so each of these sequences (a "lane") is compared
separately. The deviation is the first step of either client that has no match among the
other's steps.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import takewhile
from typing import Final

from attrs import frozen

from conformance.diagnosis.cells import Cell, cell_of, occasion
from conformance.diagnosis.steps import Step, differing, steps, until_closed
from conformance.plain import shortened
from conformance.strict_data import Json
from conformance.trace.events import CallbackRan
from conformance.verdict.result import CaseResult

_LONGEST: Final = 60
_ALWAYS: Final = frozenset({"Authorization", "Last-Event-ID", "delay"})
"""The parts of a step that are the same in all correct clients."""


@frozen(kw_only=True)
class Side:
    """What one client does at the deviation; `step` is None if the client does nothing more."""

    step: Step | None
    cell: Cell

    @property
    def seq(self) -> int | None:
        """The number of the step's event in the trace; None if there is no step."""
        return None if self.step is None else self.step.seq


@frozen(kw_only=True)
class Parting:
    """The first difference between a client and the reference."""

    kind: str
    """A key for this kind of deviation: it is the same wherever the kind occurs, so it includes nothing specific to one case."""
    said: str
    """Text to follow "the client", such as "opens the stream again without Last-Event-ID"."""
    occasion: str
    """When it happened, such as "after the stream broke off"; empty if nothing happened before."""
    client: Side
    reference: Side


def parting(client: CaseResult, reference: CaseResult, *, delays: bool = True) -> Parting | None:
    """Return the first deviation, or None if there is none; ignore back-offs if not `delays`."""
    theirs = [*steps(client.trace.events, client.nonces, delays=delays)]
    ours = [*steps(reference.trace.events, reference.nonces, delays=delays)]
    blamed = {each.event.seq for each in client.findings if each.event is not None}
    alike = _alike(ours, theirs, blamed)
    expected, actual = _first_beyond(ours, alike), _first_beyond(theirs, alike)
    if expected is None and actual is None:
        return None
    events = until_closed(client.trace.events)
    until = actual.seq if actual is not None else len(events) + 1
    called_back = any(
        each is not None and isinstance(each.fact, CallbackRan) for each in (expected, actual)
    )
    when = occasion(events, until, of_a_callback=called_back)
    kind, said = _words(expected, actual, blamed)
    return Parting(
        kind=kind if expected and actual and expected.does == actual.does else f"{when}: {kind}",
        said=said,
        occasion=when,
        client=Side(step=actual, cell=cell_of(events, actual)),
        reference=Side(step=expected, cell=cell_of(until_closed(reference.trace.events), expected)),
    )


def _alike(
    ours: Sequence[Step], theirs: Sequence[Step], blamed: Collection[int]
) -> Mapping[str, int]:
    """Return, for each lane, how many of its first steps are the same in both clients."""
    lanes: dict[str, tuple[list[Step], list[Step]]] = {}
    for side, own in enumerate((ours, theirs)):
        for step in own:
            lanes.setdefault(step.lane, ([], []))[side].append(step)
    return {
        lane: sum(
            1
            for _ in takewhile(
                lambda pair: pair[0].does == pair[1].does and not _telling(*pair, blamed),
                zip(*both, strict=False),
            )
        )
        for lane, both in lanes.items()
    }


def _first_beyond(steps: Sequence[Step], alike: Mapping[str, int]) -> Step | None:
    """Return the first step after the matching steps of its lane; None if there is none."""
    left = dict(alike)
    for step in steps:
        if not left[step.lane]:
            return step
        left[step.lane] -= 1
    return None


def _telling(expected: Step, actual: Step, blamed: Collection[int]) -> Sequence[str]:
    """Return the names of the parts in which two steps differ significantly.

    Correct clients may differ in header fields, members and parameters, so these are significant
    only if a finding concerns the step. Cursors, tokens and delays are always significant.
    """
    names = differing(expected, actual)
    always = [name for name in names if name in _ALWAYS]
    others = [name for name in names if name not in _ALWAYS and actual.seq in blamed]
    return [*always, *others]


def _words(expected: Step | None, actual: Step | None, blamed: Collection[int]) -> tuple[str, str]:
    """Return the kind of a deviation, and the text that describes it."""
    does = "does nothing more" if actual is None else actual.does
    if expected is None:
        said = f"{does} although nothing more was due"
        return said, said
    if actual is None or expected.does != actual.does:
        said = f"{does} instead of {expected.doing}"
        return said, said
    kind, said = _difference(_telling(expected, actual, blamed)[0], expected.parts, actual.parts)
    return f"{does} {kind}", f"{does} {said}"


def _difference(
    name: str, expected: Mapping[str, Json], actual: Mapping[str, Json]
) -> tuple[str, str]:
    """Return two texts that say how a part of a step differs: without its values, and with them."""
    label = name if name[0].isupper() else f"`{name}`"
    before, after = expected.get(name), actual.get(name)
    if name == "delay" and isinstance(before, int | float) and isinstance(after, int | float):
        return delayed(expected=before, actual=after)
    if name not in actual:
        value = "" if before is True else f" (the reference sends {_shown(before)})"
        return f"without {label}", f"without {label}{value}"
    if name not in expected:
        return f"with {label}", f"with {label}, which the reference does not send"
    return f"with another {label}", f"with {label} {_shown(after)} instead of {_shown(before)}"


def delayed(*, expected: float, actual: float) -> tuple[str, str]:
    """Return two texts to follow "backs off": how a delay differs, without values and with them."""
    how = "for too long" if actual > expected else "for too short a time"
    return how, f"for {actual:g} ms instead of {expected:g} ms"


def _shown(value: Json) -> str:
    return shortened(json.dumps(value, ensure_ascii=False), _LONGEST)
