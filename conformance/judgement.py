"""Reading a played case: which expectations its trace breaks.

It knows the order of complaints: what explains most comes first. It refuses to know how the trace
came about.
"""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from conformance.assertions.conduct import breaches
from conformance.case import DEFAULT_CONFIG, Case
from conformance.trace import CallbackRan, Requested, Slept, Trace
from conformance.verdict import Finding


@frozen(kw_only=True)
class Play:
    """A case as it was played: the trace, and what the stage itself saw go wrong."""

    case: Case
    trace: Trace
    stuck: Sequence[tuple[str, str]] = ()
    unanswered: Sequence[str] = ()
    broken: str | None = None
    endless: bool = False
    log: str = ""
    """What the driver wrote to its standard error meanwhile."""


def judge(play: Play) -> tuple[Finding, ...]:
    """Return every finding of a play, in the order in which a reader wants them."""
    return (*_of_the_driver(play), *_of_the_case(play), *_of_conduct(play))


def secrets_of(case: Case) -> Iterator[str]:
    """Yield what must stay secret in a case: its token and that of its dataset."""
    config = {**DEFAULT_CONFIG, **case.config}
    yield str(config["token"])
    training = config.get("input")
    dataset = training.get("dataset") if isinstance(training, Mapping) else None
    if isinstance(dataset, Mapping) and isinstance(dataset.get("token"), str):
        yield str(dataset["token"])


def _of_the_driver(play: Play) -> Iterator[Finding]:
    last = play.trace.events[-1] if play.trace.events else None
    opening = play.trace.first("open.settled")
    if play.broken is not None:
        yield Finding(
            assertion="driver",
            requires=(),
            expected="a driver that speaks arkor-drive/1 to the end",
            actual=play.broken,
            event=last,
        )
    elif opening is None:
        yield Finding(
            assertion="driver",
            requires=(),
            expected="an answer to open",
            actual="nothing happened any more",
            event=last,
        )


def _of_the_case(play: Play) -> Iterator[Finding]:
    case = play.case
    if play.endless:
        yield Finding(
            assertion="conduct.end",
            requires=case.requires,
            expected="a client that comes to an end",
            actual=f"it went on without end: {len(play.trace.events)} events",
            event=play.trace.events[-1],
        )
    for expectation in case.expect:
        if found := expectation.assertion.judge(play.trace):
            yield Finding(
                assertion=expectation.assertion.word,
                requires=expectation.requires,
                expected=found.expected,
                actual=found.actual,
                event=found.event,
            )
    for where, name in play.stuck:
        yield Finding(
            assertion=f"step {where}",
            requires=case.requires,
            expected=f"{name}, which the {where} waits for",
            actual="nothing happened any more",
            event=play.trace.events[-1] if play.trace.events else None,
        )


def _of_conduct(play: Play) -> Iterator[Finding]:
    case = play.case
    if play.broken is None and not play.endless:
        for operation in play.unanswered:
            yield Finding(
                assertion=f"conduct.answer {operation}",
                requires=case.requires if operation != "close" else (),
                expected=f"{operation} settles",
                actual="nothing happened any more, and it had not",
                event=play.trace.events[-1] if play.trace.events else None,
            )
    secrets = tuple(secrets_of(case))
    for breach in breaches(play.trace, secrets, play.log):
        yield Finding(
            assertion=breach.word,
            requires=(breach.rule,),
            expected=breach.divergence.expected,
            actual=breach.divergence.actual,
            event=breach.divergence.event,
        )
    yield from _zombie(play)


def _zombie(play: Play) -> Iterator[Finding]:
    closed = play.trace.first("close.settled")
    if closed is None:
        return
    for event in play.trace.events[closed.seq :]:
        if isinstance(event.fact, Requested | CallbackRan | Slept):
            yield Finding(
                assertion="conduct.zombie",
                requires=play.case.requires,
                expected="nothing of the client lives on after the case was closed",
                actual=_life(event.fact),
                event=event,
            )
            return


def _life(fact: Requested | CallbackRan | Slept) -> str:
    match fact:
        case Requested(route=route):
            return f"a {route} request came"
        case CallbackRan(name=name):
            return f"the callback {name} ran"
        case Slept(ms=ms):
            return f"a delay of {ms:g} ms began"
