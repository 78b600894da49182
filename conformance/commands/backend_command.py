"""`arkor-conformance backend`: judge a backend."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import anyio
import click
from attrs import evolve
from rich.text import Text

from conformance.backends.bounds import CAREFUL, GENEROUS, Amounts, Bounds
from conformance.backends.cases import backend_cases
from conformance.backends.control import ControlFailed
from conformance.backends.declare import BackendCase
from conformance.backends.probe import NoBackend, probe
from conformance.backends.record import Asked, backend_record
from conformance.backends.requirements import backend_requirements
from conformance.backends.run import BackendPlan, BackendRun, Outcome, Played
from conformance.backends.target import JOB_BODY, NOWHERE, Address, Target, fits_a_header
from conformance.backends.verdict import as_cases, results_of
from conformance.backends.wire import Unreachable
from conformance.casefile.requirements import PROFILE_NAMES
from conformance.casefile.selection import select
from conformance.commands import options
from conformance.commands.baselines import check_new_baseline, without_reasons, write_baseline
from conformance.commands.interruption import Interruption
from conformance.commands.progress import Judging
from conformance.commands.run_command import concluded, deliver, to_see_more
from conformance.plain import say
from conformance.reports import check_reports
from conformance.reports.run_json.circumstances import Circumstances
from conformance.strict_data import Json, ReadingError, Table, UsageError, read_text, read_toml
from conformance.verdict.known_failures import Weighed, read_baseline, weigh
from conformance.verdict.new_baseline import renew
from conformance.verdict.result import exit_of
from conformance.verdict.scope import Scope
from conformance.verdict.statuses import Exit
from mock_server.net.kernel import LOOP
from mock_server.strict.shapes import count_of

MOCK: Final = (sys.executable, "-P", "-m", "mock_server", "control")
"""The mock's control program; the kit judges the mock if no other backend is given."""
_MOCK_SILENCE: Final = 2.0
"""The mock's longest allowed silence, in seconds; it sends a comment every half second."""
_NOTHING: Final = (
    "arkor-conformance: no case was selected, so nothing was judged; "
    "`arkor-conformance list --backend` lists the cases"
)
_LANES: Final = 4
_WATCH: Final = 50.0
"""Seconds to watch the job that --follow names; slightly longer than a stream may be silent."""
_ANSWERS: Final = {"y": True, "yes": True, "n": False, "no": False, "": False}
TOKEN: Final = "ARKOR_TOKEN"  # noqa: S105 - the name of a variable
OTHER_TOKEN: Final = "ARKOR_OTHER_TOKEN"  # noqa: S105 - the name of a variable


@click.command()
@click.option(
    "--base-url",
    default="",
    metavar="URL",
    show_default="the mock's",
    help="The address of the backend.",
)
@click.option(
    "--org", default="", metavar="SLUG", show_default=Target().org, help="The organisation to use."
)
@click.option(
    "--project",
    default="",
    metavar="SLUG",
    show_default=Target().project,
    help="The project to use.",
)
@click.option(
    "--ca-file",
    default="",
    metavar="FILE",
    show_default="the system's",
    help="The CA that signed the backend's certificate, as a PEM file.",
)
@click.option(
    "--job",
    "job_file",
    metavar="FILE",
    type=options.FILE,
    show_default="a small one",
    help="The job to submit, in TOML: a name and a [config] table.",
)
@click.option(
    "--follow",
    "followed",
    default="",
    metavar="ID",
    show_default="the kit's own jobs",
    help="Only follow this job; do not create or cancel any jobs.",
)
@click.option(
    "--control",
    "controls",
    is_flag=True,
    help="Use the program after -- to control the backend (arkor-control/1).",
)
@click.option("--yes", is_flag=True, help="Create jobs without asking first.")
@click.option(
    "--max-jobs",
    type=options.COUNT,
    metavar="N",
    show_default="4, or 40 with a control program on this machine",
    help="Create at most N jobs.",
)
@click.option(
    "--patience",
    "factor",
    default=1.0,
    metavar="FACTOR",
    type=options.FACTOR,
    help="Multiply the kit's time limits by this factor.",
)
@click.option(
    "--watch",
    default=_WATCH,
    metavar="SECONDS",
    type=options.WATCH,
    help="Stop watching the --follow job after this time, even if it has not ended.",
)
@options.profiles
@options.case_ids
@options.patterns
@options.lanes("cases", _LANES)
@options.seed
@options.known_failures
@options.new_baseline
@options.reports(required=False)
@options.strict
@click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="[-- PROGRAM [ARGUMENT]...]")
def command(  # noqa: PLR0913 - one per option
    *,
    base_url: str,
    org: str,
    project: str,
    ca_file: str,
    job_file: Path | None,
    followed: str,
    controls: bool,
    yes: bool,
    max_jobs: int | None,
    factor: float,
    watch: float,
    profiles: Sequence[str],
    ids: Sequence[str],
    patterns: Sequence[str],
    lanes: int,
    seed: int,
    baseline: Path | None,
    new_baseline: Path | None,
    reports: Sequence[Path],
    strict: bool,
    program: Sequence[str],
) -> int:
    """Judge a backend: the mock, or the one at --base-url.

    Set ARKOR_TOKEN to the token for the backend. You may set ARKOR_OTHER_TOKEN to the token of
    another tenant, which must not see the jobs.

    \b
    example:
      arkor-conformance backend
      arkor-conformance backend --base-url https://arkor.example --org acme
      arkor-conformance backend --control -- python my-control-program.py
    """  # noqa: D301 - \b is click's mark for lines to keep
    own_mock = not base_url and not controls
    _check_options(program, followed, job_file, controls=controls, own_mock=own_mock)
    requirements = backend_requirements()
    catalogue = tuple(backend_cases().values())
    cases = select(catalogue, ids, patterns, "`arkor-conformance list --backend`")
    known = read_baseline(baseline, requirements) if baseline is not None else ()
    if new_baseline is not None:
        check_new_baseline(new_baseline, baseline)
    check_reports(reports)
    names = profiles or PROFILE_NAMES
    plan = BackendPlan(
        target=_target(base_url, org, project, ca_file, job_file),
        cases=[case for case in cases if any(case.under(name, requirements) for name in names)],
        bounds=_bounds(factor, own_mock=own_mock),
        amounts=CAREFUL,
        lanes=lanes,
        seed=seed,
        followed=followed,
        watch=watch,
        control=MOCK if own_mock else program,
    )
    if not plan.cases:
        say(_NOTHING, err=True)
        return Exit.NOTHING_RAN
    interruption = click.get_current_context().find_object(Interruption) or Interruption()
    try:
        outcome = _play(plan, interruption, max_jobs, yes=yes)
    except NoBackend as error:
        say(f"arkor-conformance: no verdict: {error}", err=True)
        return Exit.UNUSABLE
    everything = as_cases(catalogue, requirements)
    found = results_of(outcome, requirements, names, strict=strict)
    renewed = None if new_baseline is None else renew(known, (), found, everything)
    kept = known if renewed is None else renewed.kept
    weighed = weigh(found, kept, everything, datetime.now(UTC).date())
    chosen = as_cases(plan.cases, requirements, names)
    scope = Scope.of(everything, chosen, names, strict=strict)
    asked = Asked(
        base_url=base_url,
        org=org,
        project=project,
        followed=followed,
        job="" if job_file is None else str(job_file),
        ca_file=ca_file,
        control=program,
    )
    run = backend_record(outcome, weighed.results, requirements, scope, asked, Circumstances.here())
    problem = deliver(reports, run)
    if new_baseline is not None and renewed is not None:
        named = f"{outcome.implementation or outcome.target.url} {outcome.version}".strip()
        whole = not outcome.interrupted
        write_baseline(new_baseline, renewed, named, found, requirements, whole=whole)
    elif said := without_reasons(known, str(baseline)):
        say(said, err=True)
    _next_steps(run, reported=bool(reports), own_mock=own_mock)
    status = interruption.status if outcome.interrupted else _status(outcome, weighed)
    return concluded(status, weighed.stale, problem)


def _status(outcome: Outcome, weighed: Weighed) -> Exit:
    """Return the exit status of a run that was not interrupted."""
    status = exit_of(weighed.results)
    if status in {Exit.OK, Exit.NOTHING_RAN} and outcome.stopped:
        why = outcome.target.hide(outcome.stopped)
        say(f"arkor-conformance: no verdict: {why}", err=True)
        return Exit.UNUSABLE
    return Exit.STALE_BASELINE if status is Exit.OK and weighed.stale else status


def _check_options(
    program: Sequence[str],
    followed: str,
    job_file: Path | None,
    *,
    controls: bool,
    own_mock: bool,
) -> None:
    """Raise UsageError if an option is missing, or if two contradict each other."""
    _check_program(program, controls=controls)
    if followed and controls:
        raise UsageError("--follow", "only follows a job, so it cannot be combined with --control")
    if own_mock and (followed or job_file is not None):
        raise UsageError("--base-url", "missing; --follow and --job need the address of a backend")


def _check_program(program: Sequence[str], *, controls: bool) -> None:
    if controls and not program:
        raise UsageError("--control", "needs a program, as in `--control -- ./my-program`")
    if program and not controls:
        raise UsageError(
            program[0], "unexpected; to use a control program, write `--control -- PROGRAM`"
        )


def _bounds(factor: float, *, own_mock: bool) -> Bounds:
    bounds = Bounds().with_silence(_MOCK_SILENCE) if own_mock else Bounds()
    return bounds.times(factor)


def _target(base_url: str, org: str, project: str, ca_file: str, job_file: Path | None) -> Target:
    """Return the target to judge; raise UsageError or ReadingError if an input is not usable."""
    body = JOB_BODY
    if job_file is not None:
        body = read_toml(job_file.name, read_text(job_file), _job_body)
    token, other = _token(TOKEN, base_url), _token(OTHER_TOKEN, base_url)
    if base_url and not token:
        raise UsageError(TOKEN, "is not set; set it to the token for the backend")
    return Target(
        address=Address.of(base_url, ca_file) if base_url else NOWHERE,
        org=org or Target().org,
        project=project or Target().project,
        token=token,
        other_token=other,
        body=body,
    )


def _token(variable: str, base_url: str) -> str:
    """Return the token in this variable; "" without --base-url, so that it is sent nowhere else."""
    token = os.environ.get(variable, "") if base_url else ""
    if not fits_a_header(token):
        raise UsageError(variable, "has characters that cannot be sent in a header")
    return token


def _job_body(file: Mapping[str, Json]) -> Mapping[str, Json]:
    job = Table("", file)
    job.text("name")
    if not job.table("config").values:
        raise ReadingError("", "has an empty [config] table; the table must describe what to train")
    return file


def _play(
    plan: BackendPlan, interruption: Interruption, max_jobs: int | None, *, yes: bool
) -> Outcome:
    """Play the cases and return the outcome, which is partial if the run is interrupted.

    Raise NoBackend if nothing can be judged; its message contains no token.
    """
    judging = Judging.at_terminal(len(plan.cases))
    with judging.bar as bar:
        console = bar.console

        def note(job: str) -> None:
            if not course.supply.target.is_here:
                console.print(Text(f"created job {course.plan.target.hide(job)}"), soft_wrap=True)

        def played(case: Played) -> None:
            judging.count(failed=bool(case.findings))

        async def before(run: BackendRun) -> None:
            target = run.supply.target
            amounts = GENEROUS if target.is_here and plan.control else CAREFUL
            amounts = amounts if max_jobs is None else evolve(amounts, jobs=max_jobs)
            run.plan = evolve(run.plan, amounts=amounts)
            run.ledger.most = amounts.jobs
            if not target.is_here and not plan.followed and not yes:
                bar.stop()
                await _ask(target, amounts, plan.cases)
                bar.start()

        course = BackendRun(evolve(plan, note=note), played, probe)
        try:
            anyio.run(course.play, before, backend_options=LOOP)
        except KeyboardInterrupt:
            if not course.played:
                raise
            return evolve(course.outcome(str(interruption)), interrupted=True)
        except (ControlFailed, NoBackend, Unreachable) as error:
            raise NoBackend(course.plan.target.hide(str(error))) from error
    return course.outcome()


async def _ask(target: Target, amounts: Amounts, cases: Sequence[BackendCase]) -> None:
    """Ask before creating jobs, which may cost money.

    Raise UsageError or NoBackend unless the user agrees.
    """
    text = (
        f"This creates up to {count_of(amounts.jobs, 'job')} in {target.org}/{target.project} at "
        f"{target.url} ({count_of(len(cases), 'case')}), and cancels them at the end. A broken backend may create "
        "up to 10 more, which are cancelled too."
    )
    say(text, err=True)
    if not sys.stdin.isatty():
        raise UsageError(
            "--yes",
            "missing; the kit cannot ask you, because standard input is not a terminal",
        )
    if not await _confirmed():
        raise NoBackend("you answered no, so no job was created and nothing was judged")


async def _confirmed() -> bool:
    """Return whether the user agrees; Ctrl-C works even while the kit waits for input."""
    if sys.platform == "win32":  # no event loop can wait for console input there
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            return click.confirm("Go on?", err=True)
        finally:
            signal.signal(signal.SIGINT, before)
    while True:
        sys.stderr.write("Go on? [y/N]: ")
        sys.stderr.flush()
        await anyio.wait_readable(sys.stdin)
        answer = sys.stdin.readline().strip().lower()
        if answer in _ANSWERS:
            return _ANSWERS[answer]
        say("Please type y or n.", err=True)


def _next_steps(run: Mapping[str, Json], *, reported: bool, own_mock: bool) -> None:
    to_see_more(run, reported=reported)
    if own_mock:
        say(
            "To judge your own backend: "
            "arkor-conformance backend --base-url https://… --org … --project …"
        )
