"""`arkor-conformance list`: list the cases."""

from collections.abc import Sequence

import click
from attrs import evolve

from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.requirements import PROFILE_NAMES, load_requirements
from conformance.casefile.selection import select
from conformance.commands import options
from conformance.plain import say
from conformance.verdict.statuses import Exit
from mock_server.strict.shapes import count_of


@click.command()
@options.profiles
@options.patterns
@click.option(
    "--backend", "of_backends", is_flag=True, help="List the cases that test backends, not clients."
)
def command(*, profiles: Sequence[str], patterns: Sequence[str], of_backends: bool) -> int:
    """List the cases with their ids, levels, requirements and profiles.

    \b
    example:
      arkor-conformance list --profile hardened --filter 'budget.*'
    """  # noqa: D301 - \b is click's mark for lines to keep
    cases = select(_backends() if of_backends else load_cases(load_requirements()), (), patterns)
    shown = [c for c in cases if not profiles or set(profiles) & set(c.profiles)]
    width = max((len(case.id) for case in shown), default=0)
    for case in shown:
        names = "all" if len(case.profiles) == len(PROFILE_NAMES) else " ".join(case.profiles)
        rules = " ".join(case.requires)
        say(f"{case.id:<{width}}  {case.level.value:<6}  {rules:<24}  {names}")
    total = sum(len(case.profiles) for case in shown)
    say(f"{count_of(len(shown), 'case')}, or {total} if a case is counted once for each profile")
    return Exit.OK if shown else Exit.NOTHING_RAN


def _backends() -> Sequence[Case]:
    """Return the backend cases: each one once, with all of its profiles."""
    from conformance.backends.cases import backend_cases  # noqa: PLC0415 - loads h11 and anyio
    from conformance.backends.requirements import backend_requirements  # noqa: PLC0415
    from conformance.backends.verdict import as_cases  # noqa: PLC0415

    requirements = backend_requirements()
    return [
        evolve(under[-1], profiles=tuple(case.profiles[0] for case in under))
        for each in backend_cases().values()
        if (under := as_cases([each], requirements))
    ]
