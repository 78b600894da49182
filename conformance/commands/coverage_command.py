"""`arkor-conformance coverage`: count the cases and mutants for each requirement."""

from collections.abc import Mapping, Sequence

import click

from conformance.casefile.loader import load_cases
from conformance.casefile.requirements import Requirement, load_requirements
from conformance.mutants import all_mutants
from conformance.mutants.traceability import Breaking, Judging, by_source, coverage, unknown_rules
from conformance.plain import say
from conformance.verdict.statuses import Exit

_Judged = tuple[Mapping[str, Requirement], Sequence[Judging], Sequence[Breaking]]
"""The requirements, the cases that judge them, and the mutants that break them."""


@click.command()
@click.option("--holes", is_flag=True, help="Show only requirements without a case or a mutant.")
@click.option("--backend", "of_backends", is_flag=True, help="Show the requirements for backends.")
def command(*, holes: bool, of_backends: bool) -> int:
    """List each requirement, with the number of cases that test it and of mutants that break it.

    The exit status is 1 if a requirement has no case or no mutant.

    \b
    example:
      arkor-conformance coverage --holes
    """  # noqa: D301 - \b is click's mark for lines to keep
    requirements, cases, mutants = _of_backends() if of_backends else _of_clients()
    lines = coverage(requirements, cases, mutants)
    for line in lines:
        if holes and not line.hole:
            continue
        rule = line.requirement
        note = line.hole.upper() or (f"excluded: {rule.excluded}" if rule.excluded else "")
        counts = f"{len(line.cases):>4} cases {len(line.mutants):>3} mutants"
        kind = rule.source.kind.value
        say(f"{rule.id:<12} {rule.level.value:<7}{kind:<10}{counts}  {note}".rstrip())
    missing = [line for line in lines if line.hole]
    strange = unknown_rules(requirements, mutants)
    for rule_id in strange:
        say(f"{rule_id}: a mutant claims to break this rule, but there is no such requirement")
    sources = ", ".join(
        f"{count} {kind.value}" for kind, count in by_source(requirements.values()).items()
    )
    say(f"{len(lines)} requirements ({sources}), {len(missing)} holes")
    return Exit.FAILED if missing or strange else Exit.OK


def _of_clients() -> _Judged:
    requirements = load_requirements()
    return requirements, load_cases(requirements), all_mutants()


def _of_backends() -> _Judged:
    from conformance.backends.broken import broken_backends  # noqa: PLC0415 - loads h11 and anyio
    from conformance.backends.cases import backend_cases  # noqa: PLC0415
    from conformance.backends.requirements import backend_requirements  # noqa: PLC0415

    requirements = backend_requirements()
    return requirements, tuple(backend_cases().values()), broken_backends(requirements)
