"""`arkor-conformance simulate`: run the real session in memory and in virtual time."""

import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from attrs import evolve
from click.core import ParameterSource
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from arkor_proto import HARDENED, PROFILES, Profile
from arkor_proto.cli import quoting
from conformance.commands import options
from conformance.mutants import all_mutants
from conformance.plain import say
from conformance.reports import check_file, write_file
from conformance.reports.screen import Page, Screen
from conformance.simulate.faults import Faults, Source, as_text, from_text
from conformance.simulate.fleet import (
    MOST_ATTEMPTS,
    STRATEGIES,
    FleetResult,
    Outage,
    lived,
    peak_rate,
)
from conformance.simulate.plot import plot
from conformance.simulate.saved import as_rows, of_fleet, of_search
from conformance.simulate.search import Found, Search, Searched, in_words, searched
from conformance.simulate.world import JobTime
from conformance.strict_data import Json, UsageError
from conformance.verdict.statuses import Exit
from mock_server.strict.shapes import count_of, nearest

_ALL: Final = "all"
_OF_JOBS: Final = {"--jobs", "--job", "--faults", "--hours"}
_OF_FLEETS: Final = {"--outage", "--capacity", "--strategy", "--plot"}


@click.command()
@click.pass_context
@options.profile
@options.seed
@click.option("--jobs", default=100, type=options.COUNT, metavar="N", help="The number of jobs.")
@click.option(
    "--job",
    "only",
    type=options.NUMBER,
    metavar="J",
    show_default="all",
    help="Simulate only the job with this number; the command printed after a failure contains it.",
)
@click.option(
    "--faults",
    "given",
    metavar="JSON",
    show_default="chosen at random, see --seed",
    help="Inject these faults, copied from the command printed after a failure; needs --job and "
    "--profile.",
)
@click.option(
    "--hours", default=24.0, type=options.HOURS, metavar="H", help="How many hours each job runs."
)
@click.option(
    "--mutant",
    metavar="NAME",
    show_default="none",
    help="Simulate one of the kit's broken clients, to see what a failure looks like.",
)
@click.option(
    "--fleet",
    type=options.FLEET,
    metavar="N",
    show_default="single jobs",
    help="Instead of single jobs, simulate N clients that lose their streams at the same time; "
    "each client takes 6 KB of memory.",
)
@click.option(
    "--outage",
    default=30.0,
    type=options.OUTAGE,
    metavar="SECONDS",
    help="With --fleet: how long the backend is down.",
)
@click.option(
    "--capacity",
    type=options.CAPACITY,
    metavar="N",
    show_default="any number",
    help="With --fleet: how many connections per second the backend accepts after the outage.",
)
@click.option(
    "--strategy",
    default=_ALL,
    type=click.Choice((*STRATEGIES, _ALL)),
    metavar="NAME",
    help="With --fleet: how the delays between attempts are randomised "
    f"({', '.join(STRATEGIES)}, or all in turn).",
)
@click.option(
    "--plot",
    "picture",
    metavar="FILE",
    type=options.FILE,
    show_default="none",
    help="With --fleet: plot the attempts per second, as an SVG file.",
)
@click.option(
    "--json",
    "figures",
    metavar="FILE",
    type=options.FILE,
    show_default="none",
    help="Also write the results as JSON.",
)
def command(
    context: click.Context,
    *,
    profile: str | None,
    seed: int,
    jobs: int,
    only: int | None,
    given: str | None,
    hours: float,
    mutant: str | None,
    fleet: int | None,
    outage: float,
    capacity: float | None,
    strategy: str,
    picture: Path | None,
    figures: Path | None,
) -> int:
    """Simulate jobs with random faults, or a fleet of clients in an outage.

    Faults are injected into the network, the backend, the callbacks and the clock. The client is
    the library's session and the backend is the mock's; only time and the network are simulated,
    so a day takes milliseconds. If a job breaks a promise of the protocol, the command reduces its
    faults to the fewest that still cause the failure, prints a command that repeats it, and exits
    with status 1.

    \b
    example:
      arkor-conformance simulate --jobs 1000
      arkor-conformance simulate --fleet 10000 --outage 600 --plot fleet.svg
    """  # noqa: D301 - \b is click's mark for lines to keep
    for path, option in ((picture, "--plot"), (figures, "--json")):
        if path is not None:
            check_file(path, option)
    _check_mode(context, fleet)
    if mutant is not None:
        _become(mutant)
    if fleet is not None:
        names = list(STRATEGIES) if strategy == _ALL else [strategy]
        known = HARDENED if profile is None else Profile.named(profile)
        about = Outage(clients=fleet, seconds=outage, capacity=capacity, seed=seed, profile=known)
        outages = [evolve(about, strategy=name) for name in names]
        _check_size(outages)
        return _fleets(outages, picture, figures)
    faults = None if given is None else from_text(given)
    if faults is not None and (only is None or profile is None):
        raise UsageError(
            "--faults", "needs --job and --profile, as in the 'again' line printed for a failure"
        )
    events = max(1, round(hours * 3600 / JobTime().every))
    searches = [
        Search(
            seed=seed,
            jobs=1 if only is not None else jobs,
            first=only or 0,
            profile=each,
            time=JobTime(events=events),
        )
        for each in PROFILES
        if profile in {None, each.name}
    ]
    if faults is not None:
        return _repeated(searches[0], only or 0, faults, figures)
    return _jobs(searches, hours, mutant, figures)


def _become(name: str) -> None:
    """Apply the mutant with this name in this process; raise UsageError if there is none."""
    known = {mutant.name: mutant for mutant in all_mutants()}
    if name not in known:
        raise UsageError(f"--mutant {name}", f"no such mutant; {nearest(name, known)}")
    known[name].apply()


def _check_mode(context: click.Context, fleet: int | None) -> None:
    """Raise UsageError for options that the chosen mode would ignore."""
    refused = _OF_FLEETS if fleet is None else _OF_JOBS
    why = "applies only to a fleet; add --fleet N" if fleet is None else "does not apply to a fleet"
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.opts[0] in refused and source is ParameterSource.COMMANDLINE:
            raise UsageError(option.opts[0], why)


def _check_size(outages: Sequence[Outage]) -> None:
    """Raise UsageError for a fleet that would take hours to simulate."""
    attempts, strategy = max((outage.expected_attempts, outage.strategy) for outage in outages)
    if attempts > MOST_ATTEMPTS:
        raise UsageError(
            f"--fleet {outages[0].clients}",
            f"the strategy {strategy!r} would make about {attempts:,.0f} attempts, more than the "
            f"limit of {MOST_ATTEMPTS:,}; use fewer clients, a shorter --outage, a larger "
            "--capacity, or a different --strategy",
        )


def _repeated(search: Search, number: int, faults: Faults, figures: Path | None) -> int:
    """Simulate one job with the faults given on the command line."""
    why = search.broken(number, faults)
    if figures is not None:
        about: Mapping[str, Json] = {
            "profile": search.profile.name,
            "seed": search.seed,
            "job": number,
            "faults": as_rows(faults),
            "broken": why or None,
        }
        _write(figures, about)
    say(f"job {number} with seed {search.seed} under {search.profile.name}: {in_words(faults)}")
    say(why or "no promise was broken")
    return Exit.FAILED if why else Exit.OK


def _jobs(
    searches: Sequence[Search], hours: float, mutant: str | None, figures: Path | None
) -> int:
    page = Page(highlight=False, soft_wrap=True)
    with _progress(sum(search.jobs for search in searches)) as advance:
        results = [searched(search, advance) for search in searches]
    page.print(_of_jobs(results))
    for result in results:
        if result.found is not None:
            _tell(page, result.search, result.found, hours, mutant)
    if figures is not None:
        _write(figures, {"jobs": [of_search(result) for result in results]})
    if any(result.found is not None for result in results):
        return Exit.FAILED
    page.print(_summary(results))
    page.print("every job was created once and followed to its end; no event was lost or repeated")
    return Exit.OK


@contextmanager
def _progress(total: int) -> Generator[Callable[[], None]]:
    """Show a progress bar if stderr is a terminal; yield a function that advances it by one."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with Progress(console=Screen(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=total)
        yield lambda: bar.advance(task)


def _of_jobs(results: Sequence[Searched]) -> Table:
    sources = [source.value for source in Source]
    table = _table("profile", "jobs", *sources, "opens", "inputs", "job-hours/s")
    for result in results:
        injected = [result.injected(source) for source in Source]
        numbers = (result.jobs, *injected, result.opens, result.inputs)
        table.add_row(
            result.search.profile.name,
            *(f"{number:,}" for number in numbers),
            f"{result.job_hours_a_second:,.0f}",
        )
    return table


def _summary(results: Sequence[Searched]) -> str:
    jobs = sum(result.jobs for result in results)
    hours = sum(result.hours for result in results)
    seconds = sum(result.seconds for result in results)
    faults = sum(result.injected(source) for result in results for source in Source)
    return (
        f"{jobs:,} jobs with {faults:,} faults: {hours:,.0f} job-hours in {seconds:,.1f} s, "
        f"{hours / max(seconds, 0.001):,.0f} job-hours per second"
    )


def _tell(page: Page, search: Search, found: Found, hours: float, mutant: str | None) -> None:
    name = search.profile.name
    page.print(Text(f"\njob {found.number} under {name}: {found.why}", style="bold red"))
    before = count_of(len(found.faults), "fault")
    page.print(Text(f"  with {in_words(found.shrunk)} (reduced from {before})"))
    words = ["arkor-conformance", "simulate", "--profile", name, "--seed", str(search.seed)]
    words += ["--hours", f"{hours:g}", "--job", str(found.number)]
    words += [] if mutant is None else ["--mutant", mutant]
    page.print(Text(f"  again  {quoting.joined([*words, '--faults', as_text(found.shrunk)])}"))


def _fleets(outages: Sequence[Outage], picture: Path | None, figures: Path | None) -> int:
    with _progress(sum(outage.clients for outage in outages)) as advance:
        results = [lived(outage, advance) for outage in outages]
    Page(highlight=False, soft_wrap=True).print(_of_fleets(results))
    if figures is not None:
        _write(figures, {"fleets": [of_fleet(result) for result in results]})
    if picture is not None:
        write_file(picture, plot(results), "--plot")
        say(f"wrote the plot to {picture}")
    return Exit.OK


def _of_fleets(results: Sequence[FleetResult]) -> Table:
    table = _table(
        *("strategy", "1st peak/s", "N / window", "peak/s after"),
        *("99% back", "attempts", "wasted"),
        title=str(results[0].outage),
    )
    for result in results:
        formula = peak_rate(result.outage)
        table.add_row(
            result.outage.strategy,
            f"{result.first_peak:,.0f}",
            "no window" if formula == float("inf") else f"{formula:,.0f}",
            f"{result.peak(1.0, result.outage.seconds):,}",
            f"{result.back_after:,.1f} s",
            f"{result.attempts / result.outage.clients:.2f}",
            f"{result.wasted / result.outage.clients:.2f}",
        )
    return table


def _table(*names: str, title: str | None = None) -> Table:
    """Return a table with text in the first column and numbers in the others."""
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for number, name in enumerate(names):
        table.add_column(name, justify="right" if number else "left")
    return table


def _write(path: Path, figures: Mapping[str, Json]) -> None:
    write_file(path, json.dumps(figures, indent=2) + "\n", "--json")
