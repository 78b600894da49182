"""Find a client's first step that the oracle did not predict, and the rule that the step breaks.

Later steps are consequences of that step, so they are not compared.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from attrs import frozen

from conformance.explore.broken_rule import NEVER, Past
from conformance.explore.oracle import Does, Schedule, Step, after, predict, settled
from conformance.strict_data import Json
from conformance.trace.events import CallbackRan, Requested, Settled, Slept, Trace

_BUDGET: Final = ("ARK-BUD-3", "ARK-BUD-4", "ARK-BUD-6", "ARK-BUD-10")
"""Rules for counting failures; a client that backs off unexpectedly may have broken any of them."""


@frozen
class Parting:
    """The first step in which a client differs from the prediction, and the rule that this step breaks."""

    rule: str
    expected: Step
    actual: Step

    @property
    def rules(self) -> tuple[str, ...]:
        """Every rule that may have been broken, as far as can be told before the schedule is shrunk."""
        others = [self.rule]
        if self.rule.startswith("ARK-RES") and self.actual == Step(Does.OPENS, after("")):
            others.append("ARK-RES-2")  # the client may never send a cursor
        if self.rule in _BUDGET and self.actual.does is Does.SLEEPS:
            others += _BUDGET
        return tuple(dict.fromkeys(others))

    def __str__(self) -> str:
        return f"expected: {self.expected}; actual: {self.actual}"


def parting(schedule: Schedule, trace: Trace) -> Parting | None:
    """Return the first step in which the client departs from the prediction, or None."""
    prediction = predict(schedule)
    taken = list(_taken(trace))
    for n, expected in enumerate(prediction.steps):
        actual = taken[n] if n < len(taken) else NEVER
        if not _alike(expected, actual):
            past = Past(schedule, prediction, prediction.steps[:n], taken[n + 1 :])
            return Parting(past.rule(expected, actual), expected, actual)
    if len(taken) > len(prediction.steps):
        return Parting("ARK-STR-5", NEVER, taken[len(prediction.steps)])
    cancels = sum(fact.route == "cancel" for _, fact in trace.of(Requested))
    if cancels != prediction.cancels:
        rule = "ARK-CAN-2" if cancels < prediction.cancels else "ARK-CAN-5"
        cancelled = [Step(Does.CALLS, f"cancel {n} times") for n in (prediction.cancels, cancels)]
        return Parting(rule, *cancelled)
    return None


def _taken(trace: Trace) -> Iterator[Step]:
    """Yield the steps that the client took, according to its trace."""
    for event in trace.events:
        match event.fact:
            case Requested(route="stream") as asked:
                sent = asked.header("last-event-id")
                yield Step(Does.OPENS, after("") if sent is None else f"after {sent!r}")
            case Requested(route="job"):
                yield Step(Does.ASKS)
            case CallbackRan(name=name):
                yield Step(Does.CALLS, name)
            case Slept(ms=ms, purpose=purpose) if purpose != "idle":
                yield Step(Does.SLEEPS, f"{ms:g} ms")
            case Settled(operation="wait") as fact:
                yield Step(Does.SETTLES, settled(_result(fact)))
            case _:
                pass


def _result(fact: Settled) -> Mapping[str, Json]:
    if fact.failure is not None:
        code = {} if fact.failure.code is None else {"code": fact.failure.code}
        return {"error": fact.failure.kind, **code}
    job = fact.ok.get("job")
    return {"status": job.get("status")} if isinstance(job, Mapping) else {}


def _alike(expected: Step, actual: Step) -> bool:
    if expected == Step(Does.SETTLES, "resolved"):
        return actual.does is Does.SETTLES and actual.what.startswith("resolved")
    return expected == actual
