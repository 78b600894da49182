"""`arkor-conformance smoke`: check that a driver works, without judging its client."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from functools import partial

import anyio
import click
from attrs import evolve

from conformance.casefile.loader import load_cases, read_case_file
from conformance.casefile.requirements import Requirement, load_requirements
from conformance.commands import options
from conformance.commands.run_command import refusal
from conformance.diagnosis.diagnose import REFERENCE
from conformance.drive.process import DriverUnusable
from conformance.plain import one_line, say
from conformance.runner.player import driver_of
from conformance.runner.run import Outcome, Plan, run
from conformance.trace.describe import line
from conformance.verdict.known_failures import declared, weigh
from conformance.verdict.statuses import Exit, Verdict
from mock_server.net.kernel import LOOP

_CASE = """
id = "smoke.every-command"
requires = ["ARK-STR-2"]
why = "A working driver answers every command and reports what its client does."
server.stream = [
    {{ frames = [{{ id = "1", json = {{ type = "training.log", step = 1 }} }}], end = "eof" }},
    {{ frames = [{{ id = "2", json = {{ type = "training.completed" }} }}], end = "eof" }},
]
server.cancel = [{{ status = 200, json = {{}} }}]
step = [{steps}]
[expect]
requests = {{ create = 1, stream = 2, cancel = {cancels} }}
callbacks = ["log", "completed"]
{results}
"""

_RESULTS: Mapping[str, str] = {
    "start": "{ ok = true }",
    "wait": '{ status = "completed" }',
    "cancel": "{ ok = true }",
    "abort": "{ ok = true }",
}
"""The result that the case expects of each command."""
_OPTIONAL = ("cancel", "abort")
"""The commands that a driver may omit; each has a capability of the same name."""

_PATIENCE = 2.0
_ROUNDS = 100
"""Round trips to the driver before a sleep ends automatically. In virtual time, they let the event
loops of the client and the kit run until a request has been sent; they take a few milliseconds."""


@click.command()
@options.patience(_PATIENCE)
@options.driver
def command(*, patience: float, driver: Sequence[str]) -> int:
    """Check a driver by trying every command, and show the conversation.

    The client behind the driver is not judged. Commands whose capability the driver does not
    declare are skipped.

    \b
    example:
      arkor-conformance smoke -- node my-driver.mjs
    """  # noqa: D301 - \b is click's mark for lines to keep
    known = load_requirements()
    plan = Plan(
        command=driver or REFERENCE,
        cases=[],
        lanes=1,
        patience=patience,
        rounds=_ROUNDS,
        note=partial(say, err=True),
    )
    try:
        outcome = anyio.run(_play, plan, known, backend_options=LOOP)
    except DriverUnusable as error:
        say(refusal(error, plan.command), err=True)
        return Exit.UNUSABLE
    identity = outcome.identity
    say(one_line(f"{identity.implementation} {identity.version}"))
    say(f"profiles      {', '.join(identity.profiles)}")
    say(f"capabilities  {', '.join(sorted(identity.capabilities)) or 'none'}\n")
    result = outcome.results[0]
    for event in result.trace.events:
        say(line(event))
    for finding in result.findings:
        told = f"\n{finding.assertion}\n  expected {finding.expected}\n  actual   {finding.actual}"
        say(told)
    if result.reason:
        say(f"\n{result.reason}")
    unknown = weigh((), declared(identity.declared_gaps), load_cases(known), date.max).stale
    for each in unknown:
        say(f"\n{each}")
    left_out = [each for each in _OPTIONAL if each not in identity.capabilities]
    if left_out:
        say(f"\nnot declared by the driver, so not tried: {', '.join(left_out)}")
    works = result.verdict is Verdict.PASS and not unknown
    say(
        "\nthe driver works; its client was not judged"
        if works
        else "\nthe driver does not work yet"
    )
    if result.verdict is Verdict.ERROR:
        return Exit.UNUSABLE
    return Exit.OK if works else Exit.FAILED


async def _play(plan: Plan, known: Mapping[str, Requirement]) -> Outcome:
    """Play the declared commands, under the first profile that the driver declares."""
    async with driver_of(plan.command, plan.patience, plan.time) as connection:
        identity = connection.introduced()
    (case,) = read_case_file("smoke", _case_for(identity.capabilities), known)
    return await run(evolve(plan, profiles=[identity.profiles[0]], cases=[case]))


def _case_for(capabilities: Collection[str]) -> str:
    """Return the text of a case file that uses only commands that the driver declares."""
    tried = [each for each in _RESULTS if each not in _OPTIONAL or each in capabilities]
    return _CASE.format(
        steps=", ".join(f'{{ do = "{each}" }}' for each in tried),
        cancels=int("cancel" in tried),
        results="\n".join(f"result.{each} = {_RESULTS[each]}" for each in tried),
    )
