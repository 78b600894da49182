"""Write a case from a counter-example of `states`, if the explored client fails that case."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio

from arkor_proto import Profile
from arkor_proto.cli import quoting
from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement, load_requirements
from conformance.commands.run_command import refusal
from conformance.diagnosis.diagnose import REFERENCE
from conformance.drive.process import DriverUnusable
from conformance.drivers import own
from conformance.explore.schedules import case_file
from conformance.mutants import Mutant
from conformance.plain import say
from conformance.reports import write_file
from conformance.runner.run import Plan, run
from conformance.states.as_case.case import about, case_of
from conformance.states.as_case.script import NotACase
from conformance.states.graph import Breach
from conformance.states.worlds import Setting
from mock_server.net.kernel import LOOP

_UNSEEN = "the client passes it, so the fault in the client's session is not visible from outside"


def write_case(
    setting: Setting, profile: Profile, breach: Breach, mutant: Mutant | None, path: Path
) -> None:
    """Write a case from a counter-example, or print why none was written."""
    known = load_requirements()
    try:
        case = case_of(setting, profile, breach, known)
    except NotACase as error:
        say(f"the counter-example cannot be written as a case: {error}")
        return
    command = REFERENCE if mutant is None else own("mutants.driver", mutant.name)
    try:
        fails = anyio.run(_fails, case, command, backend_options=LOOP)
    except DriverUnusable as error:
        say(refusal(error, command), err=True)
        return
    if not fails:
        say(f"the case made from the counter-example was not written: {_UNSEEN}")
        return
    write_file(path, case_file(case, about(setting, profile, breach)), "--case")
    play = ["arkor-conformance", "run", *_strictly(case, known), "--file", str(path)]
    say(f"wrote {path}, a case that this client fails; to play it: {quoting.joined(play)}")


async def _fails(case: Case, command: Sequence[str]) -> bool:
    """Play the case against the explored client; return whether it fails."""
    outcome = await run(Plan(command=command, cases=[case], strict=True))
    return outcome.results[0].verdict.is_wrong


def _strictly(case: Case, known: Mapping[str, Requirement]) -> tuple[str, ...]:
    """Return `--strict` if, without it, breaking the rules of the case would only be a warning."""
    binding = any(known[rule].fails(case.profiles[0], strict=False) for rule in case.requires)
    return () if binding else ("--strict",)
