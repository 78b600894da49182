"""`arkor-conformance show`: one case as a reader wants it."""

import inspect
import json
from collections.abc import Iterator
from typing import assert_never

import click

from conformance.backends.cases import backend_cases
from conformance.backends.declare import BackendCase
from conformance.backends.requirements import backend_requirements
from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.nonces import PLACEHOLDERS
from conformance.casefile.requirements import Requirement, load_requirements
from conformance.casefile.selection import select
from conformance.expect.callbacks import Result
from conformance.expect.delays import SleepsSpread
from conformance.expect.order import Reached
from conformance.expect.premise import Carries, FirstCallbacks, FirstCursors, FirstSleeps, Premise
from conformance.expect.requests import told
from conformance.plain import say


@click.command()
@click.argument("case_id", metavar="CASE")
def command(*, case_id: str) -> int:
    """Show one case: its rules and their sources, its premise, what it does and expects.

    CASE is the id of a case, about a client or a backend, or of a template, which stands for
    several cases.

    \b
    example:
      arkor-conformance show budget.ping-is-not-progress
    """  # noqa: D301 - \b is click's mark for lines to keep
    if case_id in backend_cases():
        _show_backend(backend_cases()[case_id])
        return 0
    requirements = load_requirements()
    for case in select(load_cases(requirements), [case_id]):
        say(case.id)
        say(f"{case.level.value} under {', '.join(case.profiles)}. {case.why}")
        if case.needs:
            say(f"Needs {', '.join(case.needs)}.")
        for rule in case.requires:
            say(f"\n{_head(requirements[rule])}\n  {requirements[rule].text.strip()}")
        for line in _before(case):
            say(line)
        text = json.dumps(dict(case.source), indent=2, ensure_ascii=False)
        say(f"\n{text}\n")
        if used := [each for each in PLACEHOLDERS if each in text]:
            say(f"{', '.join(used)}: a new value each time that the case is played\n")
        for each in case.expect:
            if isinstance(each.assertion, SleepsSpread):
                say(f"{each.assertion.word}: {each.assertion}\n")
        say(f"arkor-conformance run --case '{case.id}' -- your driver\n")
    return 0


def _show_backend(case: BackendCase) -> None:
    """Show a case about a backend: what it does is a function of this package."""
    requirements = backend_requirements()
    say(case.id)
    say(case.why)
    if case.words:
        say(f"Needs a control program with {', '.join(case.words)}.")
    for rule in case.requires:
        say(f"\n{_head(requirements[rule])}\n  {requirements[rule].text.strip()}")
    say(f"\n{inspect.getsource(case.steps)}")
    say(f"arkor-conformance backend --case '{case.id}'\n")


def _head(rule: Requirement) -> str:
    return f"{rule.id} · {rule.level.value} · {', '.join(rule.profiles)} · {rule.source}"


def _before(case: Case) -> Iterator[str]:
    """Yield what must be so before the rules are judged."""
    if case.applies:
        requests = ", ".join(shape.request for shape in case.applies)
        yield f"\nApplies to a client only if its {requests} is as 'applies' says."
    if case.premise:
        yield "\nPremise: unless the client does this, its rules are not reached."
        yield from (f"  {_premise(each)}" for each in case.premise)


def _premise(premise: Premise) -> str:
    match premise:
        case Reached(reference=event):
            return event
        case FirstCursors(chain=chain):
            return f"the first opens of the stream carry these cursors: {told(chain)}"
        case FirstCallbacks(names=names):
            return f"the first callbacks are: {', '.join(names)}"
        case FirstSleeps(delays=delays):
            return f"the first back-off delays are: {', '.join(map(str, delays))} ms"
        case Carries(callback=callback, member=member):
            return f"the first call of {callback} has a text as its {member}"
        case Result(operation=operation):
            return f"{operation} settles as 'premise.result' says"
        case never:
            assert_never(never)
