"""`arkor-conformance show`: one case as a reader wants it."""

import json

import click

from conformance.assertions.sleeping import SleepsSpread
from conformance.loader import load_cases
from conformance.selection import select
from conformance.specification import load_requirements


@click.command()
@click.argument("case_id")
def command(*, case_id: str) -> int:
    """Show one case: the rules, what is done, what is expected."""
    requirements = load_requirements()
    for case in select(load_cases(requirements), [case_id]):
        click.secho(case.id, bold=True)
        click.echo(f"{case.level.value} under {', '.join(case.profiles)}; {case.why}\n")
        for rule in case.requires:
            click.echo(f"  {rule}  {requirements[rule].text.strip()}")
        click.echo(f"\n{json.dumps(dict(case.source), indent=2, ensure_ascii=False)}\n")
        for each in case.expect:
            if isinstance(each.assertion, SleepsSpread):
                click.echo(f"{each.assertion.word}: {each.assertion}\n")
        click.echo(f"arkor-conformance run --case '{case.id}'\n")
    return 0
