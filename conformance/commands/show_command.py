"""`arkor-conformance show`: show one case in readable form."""

import json
from collections.abc import Iterator
from typing import assert_never

import click

from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.nonces import PLACEHOLDERS
from conformance.casefile.requirements import load_requirements
from conformance.casefile.selection import select
from conformance.expect.callbacks import Result
from conformance.expect.delays import SleepsSpread
from conformance.expect.order import Reached
from conformance.expect.premise import Carries, FirstCallbacks, FirstCursors, FirstSleeps, Premise
from conformance.expect.requests import told
from conformance.plain import say


@click.command()
@click.argument("case_id", metavar="CASE")
@click.option("--backend", "of_backends", is_flag=True, help="Show the backend case with this id.")
def command(*, case_id: str, of_backends: bool) -> int:
    """Show one case: its rules with their sources, its premise, its steps and expectations.

    CASE is the id of a case, or of a template, which covers several cases. Without --backend, a
    backend case is shown only if no client case has this id.

    \b
    example:
      arkor-conformance show budget.ping-is-not-progress
    """  # noqa: D301 - \b is click's mark for lines to keep
    requirements = load_requirements()
    cases = load_cases(requirements)
    if of_backends or not any(case_id in case.names for case in cases):
        from conformance.commands import backend_show  # noqa: PLC0415 - loads h11 and anyio

        if of_backends or backend_show.is_known(case_id):
            backend_show.show(case_id)
            return 0
    for case in select(cases, [case_id]):
        say(case.id)
        say(f"{case.level.value} under {', '.join(case.profiles)}. {case.why}")
        if case.needs:
            say(f"Needs {', '.join(case.needs)}.")
        for rule in case.requires:
            say(f"\n{requirements[rule].heading}\n  {requirements[rule].text.strip()}")
        for line in _before(case):
            say(line)
        text = json.dumps(dict(case.source), indent=2, ensure_ascii=False)
        say(f"\n{text}\n")
        if used := [each for each in PLACEHOLDERS if each in text]:
            say(f"{', '.join(used)}: a new value each time the case is played\n")
        for each in case.expect:
            if isinstance(each.assertion, SleepsSpread):
                say(f"{each.assertion.word}: {each.assertion}\n")
        say(f"arkor-conformance run --case '{case.id}' -- your driver\n")
    return 0


def _before(case: Case) -> Iterator[str]:
    """Yield lines that say what must hold before the case can judge its rules."""
    if case.applies:
        requests = " and ".join(shape.request for shape in case.applies)
        yield f"\nApplies only to clients that send {requests} as 'applies' in the case file describes."
    if case.premise:
        yield "\nPremise: unless the client does all of this, the case cannot judge these rules."
        yield from (f"  {_premise(each)}" for each in case.premise)


def _premise(premise: Premise) -> str:
    match premise:
        case Reached(reference=event):
            return event
        case FirstCursors(chain=chain):
            return f"the cursors of the first requests for the stream are: {told(chain)}"
        case FirstCallbacks(names=names):
            return f"the first callbacks are: {', '.join(names)}"
        case FirstSleeps(delays=delays):
            return f"the first back-off delays are: {', '.join(map(str, delays))} ms"
        case Carries(callback=callback, member=member):
            return f"the first call to {callback} passes an argument whose {member} is a string"
        case Result(operation=operation):
            return f"{operation} settles as 'premise.result' in the case file specifies"
        case never:
            assert_never(never)
