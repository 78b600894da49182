"""`arkor-conformance simulate`: real sessions against the real backend, in memory, in virtual time."""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from attrs import evolve
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from arkor_proto import PROFILES
from arkor_proto.cli import quoting
from conformance.commands import options
from conformance.mutants import all_mutants
from conformance.plain import say
from conformance.reports import check_file, write_file
from conformance.reports.screen import Page, Screen
from conformance.simulate.faults import Faults, as_text, from_text
from conformance.simulate.fleet import STRATEGIES, FleetResult, Outage, lived, peak_rate
from conformance.simulate.plot import plot
from conformance.simulate.search import Found, Search, Searched, in_words, searched
from conformance.simulate.world import JobTime
from conformance.strict_data import UsageError
from conformance.verdict.statuses import Exit
from mock_server.strict.shapes import nearest

_ALL: Final = "all"


@click.command()
@options.profile
@options.seed
@click.option("--jobs", default=100, type=options.COUNT, metavar="N", help="How many jobs.")
@click.option(
    "--job",
    "only",
    type=options.NUMBER,
    metavar="J",
    show_default="all",
    help="Only the job with this number, which a failure shows.",
)
@click.option(
    "--faults",
    "given",
    metavar="JSON",
    show_default="drawn by --seed",
    help="These faults instead, as a failure shows them; needs --job and --profile.",
)
@click.option("--hours", default=24.0, type=options.HOURS, metavar="H", help="How long a job is.")
@click.option(
    "--mutant",
    metavar="NAME",
    show_default="none",
    help="Simulate this broken client of the kit, to see what a failure looks like.",
)
@click.option(
    "--fleet",
    type=options.COUNT,
    metavar="N",
    show_default="single jobs",
    help="Simulate N clients that lose their streams at once instead.",
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
    help="With --fleet: how many connections a second it accepts afterwards.",
)
@click.option(
    "--strategy",
    default=_ALL,
    type=click.Choice((*STRATEGIES, _ALL)),
    metavar="NAME",
    help=f"With --fleet: how delays are spread: {', '.join(STRATEGIES)}, or all of them.",
)
@click.option(
    "--plot",
    "picture",
    metavar="FILE",
    type=options.FILE,
    show_default="none",
    help="With --fleet: draw the attempts per second, as SVG.",
)
def command(
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
) -> int:
    """Simulate jobs through random faults, or a fleet through an outage.

    The faults are those of the network, the backend, the callbacks and the clock. The client is the
    session of the library and the backend that of the mock; only time and the network are simulated,
    so a day takes milliseconds. A job that breaks a promise of the protocol is shrunk to the fewest
    faults, and printed with the command that repeats it; the status is then 1.

    \b
    example:
      arkor-conformance simulate --jobs 1000
      arkor-conformance simulate --fleet 10000 --outage 600 --plot fleet.svg
    """  # noqa: D301 - \b is click's mark for lines to keep
    if mutant is not None:
        _become(mutant)
    if fleet is not None:
        if picture is not None:
            check_file(picture, "--plot")
        names = list(STRATEGIES) if strategy == _ALL else [strategy]
        about = Outage(clients=fleet, seconds=outage, capacity=capacity, seed=seed)
        return _fleets([evolve(about, strategy=name) for name in names], picture)
    if picture is not None:
        raise UsageError("--plot", "draws a fleet; add --fleet 10000")
    faults = None if given is None else from_text(given)
    if faults is not None and (only is None or profile is None):
        raise UsageError("--faults", "needs --job and --profile, as the failure prints them")
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
        return _repeated(searches[0], only or 0, faults)
    return _jobs(searches, hours, mutant)


def _become(name: str) -> None:
    """Break the session of this process as a mutant does; raises UsageError."""
    known = {mutant.name: mutant for mutant in all_mutants()}
    if name not in known:
        raise UsageError(f"--mutant {name}", f"no such mutant; {nearest(name, known)}")
    known[name].apply()


def _repeated(search: Search, number: int, faults: Faults) -> int:
    """Simulate one job with these faults."""
    why = search.broken(number, faults)
    say(f"job {number} of seed {search.seed} under {search.profile.name}: {in_words(faults)}")
    say(why or "it keeps every promise")
    return Exit.FAILED if why else Exit.OK


def _jobs(searches: Sequence[Search], hours: float, mutant: str | None) -> int:
    page = Page(highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for name in ("profile", "jobs", "faults", "opens", "inputs", "job-hours/s"):
        table.add_column(name, justify="left" if name == "profile" else "right")
    found: list[tuple[Search, Found]] = []
    total = sum(search.jobs for search in searches)
    with _progress(total) as advance:
        for search in searches:
            result = searched(search, advance)
            table.add_row(*_row(result))
            if result.found is not None:
                found.append((search, result.found))
    page.print(table)
    for search, each in found:
        _tell(page, search, each, hours, mutant)
    if not found:
        page.print("every job was followed to its end: nothing lost, nothing twice, one job each")
    return Exit.FAILED if found else Exit.OK


@contextmanager
def _progress(total: int) -> Generator[Callable[[], None]]:
    """Show a bar at a terminal, and yield what moves it on by one."""
    seen = sys.stderr.isatty()
    with Progress(console=Screen(stderr=True), transient=True, disable=not seen) as bar:
        task = bar.add_task("simulating", total=total)
        yield lambda: bar.advance(task)


def _row(result: Searched) -> Sequence[str]:
    numbers = (result.jobs, result.faults, result.opens, result.inputs)
    rate = f"{result.job_hours_a_second:,.0f}"
    return (result.search.profile.name, *(f"{number:,}" for number in numbers), rate)


def _tell(page: Page, search: Search, found: Found, hours: float, mutant: str | None) -> None:
    name = search.profile.name
    page.print(Text(f"\njob {found.number} under {name}: {found.why}", style="bold red"))
    page.print(Text(f"  with {in_words(found.shrunk)} ({len(found.faults)} faults at first)"))
    words = ["arkor-conformance", "simulate", "--profile", name, "--seed", str(search.seed)]
    words += ["--hours", f"{hours:g}", "--job", str(found.number)]
    words += [] if mutant is None else ["--mutant", mutant]
    page.print(Text(f"  again  {quoting.joined([*words, '--faults', as_text(found.shrunk)])}"))


def _fleets(outages: Sequence[Outage], picture: Path | None) -> int:
    total = sum(outage.clients for outage in outages)
    with _progress(total) as advance:
        results = [lived(outage, advance) for outage in outages]
    Page(highlight=False, soft_wrap=True).print(_of_fleets(results))
    if picture is not None:
        write_file(picture, plot(results), "--plot")
        say(f"The drawing: {picture}")
    return Exit.OK


def _of_fleets(results: Sequence[FleetResult]) -> Table:
    outage = results[0].outage
    then = "" if outage.capacity is None else f", then {outage.capacity:g} connections a second"
    table = Table(
        box=None,
        pad_edge=False,
        title=f"{outage.clients:,} clients, {outage.seconds:g} s without a backend{then}",
        title_justify="left",
    )
    for name in (
        "strategy",
        "first peak/s",
        "N / window",
        "peak/s after",
        "99 % back",
        "tries",
        "wasted",
    ):
        table.add_column(name, justify="left" if name == "strategy" else "right")
    for result in results:
        formula = peak_rate(result.outage)
        table.add_row(
            result.outage.strategy,
            f"{result.peak(0.1) * 10:,}",
            "all at once" if formula == float("inf") else f"{formula:,.0f}",
            f"{result.peak(1.0, result.outage.seconds):,}",
            f"{result.back_after:,.1f} s",
            f"{result.attempts / result.outage.clients:.2f}",
            f"{result.wasted / result.outage.clients:.2f}",
        )
    return table
