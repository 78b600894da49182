"""`arkor-conformance show` for a case that judges backends."""

import inspect

from conformance.backends.cases import backend_cases
from conformance.backends.requirements import backend_requirements
from conformance.casefile.selection import select
from conformance.plain import say


def is_known(case_id: str) -> bool:
    """Return whether a backend case has this id."""
    return case_id in backend_cases()


def show(case_id: str) -> None:
    """Show a case with the Python code of its steps; raise UsageError for an unknown id."""
    listing = "`arkor-conformance list --backend`"
    (case,) = select(tuple(backend_cases().values()), [case_id], listing=listing)
    requirements = backend_requirements()
    say(case.id)
    say(case.why)
    if case.words:
        say(f"Needs a control program that supports {', '.join(case.words)}.")
    for rule in case.requires:
        say(f"\n{requirements[rule].heading}\n  {requirements[rule].text.strip()}")
    say(f"\n{inspect.getsource(case.steps)}")
    say(f"arkor-conformance backend --case '{case.id}'\n")
