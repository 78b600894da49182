"""`arkor-conformance states`: check every reachable state of the session."""

import json
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Final

import click
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from arkor_proto import PROFILES, Profile
from arkor_proto.cli import quoting
from conformance.commands import options
from conformance.commands.states_case import write_case
from conformance.mutants import Mutant, all_mutants
from conformance.mutants.patching import planted
from conformance.plain import say
from conformance.reports import check_file, write_file
from conformance.reports.screen import Page, Screen
from conformance.states.describe import MOVES, told
from conformance.states.graph import MOST, Breach
from conformance.states.promises import ALL
from conformance.states.search import Explored, explored, played
from conformance.states.trace_file import TraceFile, read_trace
from conformance.states.world import NotPossible
from conformance.states.worlds import WORLDS, Setting
from conformance.strict_data import UsageError
from conformance.verdict.statuses import Exit
from mock_server.strict.shapes import nearest

_BY_NAME: Final = {profile.name: profile for profile in PROFILES}


@click.command()
@options.profile
@click.option(
    "--world",
    type=click.Choice(tuple(WORLDS)),
    metavar="NAME",
    show_default="all",
    help=f"Explore only this world: {', '.join(WORLDS)}. A world determines which calls "
    "the application may make and how the backend behaves.",
)
@click.option(
    "--mutant",
    metavar="NAME",
    show_default="none",
    help="Explore one of the kit's broken clients, to see what a counter-example looks like.",
)
@click.option(
    "--most",
    default=MOST,
    type=options.COUNT,
    metavar="STATES",
    help="The maximum number of states to explore per world.",
)
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    type=options.FILE,
    show_default="none",
    help="Write the counter-example as a trace, for --replay.",
)
@click.option(
    "--case",
    "case",
    metavar="FILE",
    type=options.FILE,
    show_default="none",
    help="Write the counter-example as a case for `run --file`, or say why that is impossible.",
)
@click.option(
    "--replay",
    metavar="FILE",
    type=options.FILE,
    show_default="none",
    help="Instead of exploring, replay this trace; the exit status is 1 if it still fails.",
)
@click.option(
    "--json",
    "figures",
    metavar="FILE",
    type=options.FILE,
    show_default="none",
    help="Write the results as JSON.",
)
def command(
    *,
    profile: str | None,
    world: str | None,
    mutant: str | None,
    most: int,
    out: Path | None,
    case: Path | None,
    replay: Path | None,
    figures: Path | None,
) -> int:
    """Check every reachable state of the library's session.

    A state comprises the session, the backend, the network, the application and its callbacks. The
    command tries every possible move in every state, breadth first, and checks the promises of the
    protocol after each move. If a promise is broken, the command shows the shortest sequence of
    moves that breaks it, and exits with status 1.

    \b
    example:
      arkor-conformance states --profile hardened --world submit
      arkor-conformance states --mutant budget.never-gives-up --out trace.json
      arkor-conformance states --replay trace.json --case case.toml
    """  # noqa: D301 - \b is click's mark for lines to keep
    if replay is not None:
        return _replayed(replay, case)
    broken = None if mutant is None else _mutant(f"--mutant {mutant}", mutant)
    for path, name in ((out, "--out"), (case, "--case"), (figures, "--json")):
        if path is not None:
            check_file(path, name)
    settings = [each for each in WORLDS.values() if world in {None, each.name}]
    profiles = [each for each in PROFILES if profile in {None, each.name}]
    with _progress() as show:
        found = [*_explored(settings, profiles, broken, most, show)]
    page = Page(highlight=False, soft_wrap=True)
    page.print(_table(found))
    if figures is not None:
        write_file(figures, _figures(found), "--json")
    if found[-1].breach is None:
        _tell_success(page, found, most)
        return Exit.OK
    _tell_failure(page, found[-1], found[-1].breach, broken, out)
    if case is not None:
        write_case(found[-1].setting, found[-1].profile, found[-1].breach, broken, case)
    return Exit.FAILED


def _mutant(where: str, name: str) -> Mutant:
    known = {each.name: each for each in all_mutants()}
    if name not in known:
        raise UsageError(where, f"no such mutant; {nearest(name, known)}")
    return known[name]


def _explored(
    settings: Sequence[Setting],
    profiles: Sequence[Profile],
    mutant: Mutant | None,
    most: int,
    show: Callable[[str], None],
) -> Iterator[Explored]:
    """Explore each world under each profile until a promise is broken."""
    for setting in settings:
        for profile in profiles:

            def on_state(number: int, name: str = f"{setting.name} under {profile.name}") -> None:
                show(f"exploring {name}: {number:,} states")

            with nullcontext() if mutant is None else planted(mutant):
                found = explored(
                    setting, profile, filtered=mutant is not None, most=most, on_state=on_state
                )
            yield found
            if found.breach is not None:
                return


@contextmanager
def _progress() -> Generator[Callable[[str], None]]:
    """Show a status line if stderr is a terminal; yield a function that updates it."""
    seen = sys.stderr.isatty()
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Screen(stderr=True), transient=True, disable=not seen) as bar:
        task = bar.add_task("exploring", total=None)
        yield lambda text: bar.update(task, description=text)


def _table(found: Sequence[Explored]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("world", "profile", "states", "edges", "depth", "seconds"):
        table.add_column(name, justify="left" if name in {"world", "profile"} else "right")
    for each in found:
        more = "+" if each.cut else ""
        numbers = (f"{each.states:,}{more}", f"{each.edges:,}{more}", f"{each.depth}{more}")
        table.add_row(each.setting.name, each.profile.name, *numbers, f"{each.seconds:.1f}")
    return table


def _tell_success(page: Page, found: Sequence[Explored], most: int) -> None:
    page.print("\npromises checked after every move:")
    for promise in ALL:
        page.print(Text(f"  {promise.rule:<17} {promise.text}"))
    states, edges = sum(each.states for each in found), sum(each.edges for each in found)
    seconds = sum(each.seconds for each in found)
    total = f"{states:,} states and {edges:,} edges in {seconds:.1f} s"
    cut = [f"{each.setting.name} under {each.profile.name}" for each in found if each.cut]
    if cut:
        page.print(
            Text(
                f"\nsome states were not explored: the limit --most {most} was reached in "
                f"{', '.join(cut)}"
            )
        )
        page.print(Text(f"explored {total}: no promise was broken in these states"))
    else:
        page.print(Text(f"\nexplored {total}: every promise holds in every state"))


def _tell_failure(
    page: Page, found: Explored, breach: Breach, mutant: Mutant | None, out: Path | None
) -> None:
    name = None if mutant is None else mutant.name
    with nullcontext() if mutant is None else planted(mutant):
        _tell(page, found.setting, found.profile, breach, filtered=mutant is not None)
    if out is None:
        page.print("to keep this trace for --replay, add --out trace.json")
        return
    trace = TraceFile.of(found.setting.name, found.profile.name, name, breach)
    write_file(out, trace.text, "--out")
    again = quoting.joined(["arkor-conformance", "states", "--replay", str(out)])
    page.print(Text(f"wrote the trace to {out}; to replay it: {again}"))


def _tell(
    page: Page, setting: Setting, profile: Profile, breach: Breach, *, filtered: bool
) -> None:
    """Print the moves of a counter-example, and the promise that the last move breaks."""
    page.print(Text(f"\n{setting.name} under {profile.name}: {setting.about}"))
    steps = told(lambda: setting.world(profile, filtered=filtered), breach)
    for number, step in enumerate(steps, 1):
        if breach.loop is not None and number == breach.loop + 1:
            page.print("  the moves from here on repeat for ever:")
        page.print(Text(f"  {number:>2}  {step.move}"))
        for did in step.did:
            page.print(Text(f"        the session {did}"))
    page.print(Text(f"{breach.promise.rule} is broken: {breach.how}", style="bold red"))
    page.print(Text(f"  promise: {breach.promise.text}"))


def _replayed(path: Path, case: Path | None) -> int:
    """Replay the moves of a trace; return the exit status."""
    trace = read_trace(path)
    if case is not None:
        check_file(case, "--case")
    mutant = _mutant(f"--replay {path}", trace.mutant) if trace.mutant else None
    setting, profile = WORLDS[trace.world], _BY_NAME[trace.profile]
    filtered = mutant is not None
    page = Page(highlight=False, soft_wrap=True)
    with nullcontext() if mutant is None else planted(mutant):
        try:
            found = played(lambda: setting.world(profile, filtered=filtered), trace.breach)
        except NotPossible as error:
            what = MOVES[str(error)]
            say(f"the trace no longer fails: its move '{what}' is no longer possible")
            return Exit.OK
        if found is None:
            rule = trace.breach.promise.rule
            say(f"the trace no longer fails: its moves no longer break {rule}")
            return Exit.OK
        _tell(page, setting, profile, found, filtered=filtered)
    if case is not None:
        write_case(setting, profile, found, mutant, case)
    return Exit.FAILED


def _figures(found: Sequence[Explored]) -> str:
    rows = [
        {
            "world": each.setting.name,
            "profile": each.profile.name,
            "states": each.states,
            "edges": each.edges,
            "depth": each.depth,
            "seconds": round(each.seconds, 2),
            "cut": each.cut,
            "broken": None if each.breach is None else each.breach.promise.rule,
            "moves": [] if each.breach is None else list(each.breach.moves),
        }
        for each in found
    ]
    whole = {
        "states": sum(each.states for each in found),
        "edges": sum(each.edges for each in found),
        "seconds": round(sum(each.seconds for each in found), 2),
        "promises": len(ALL),
        "explorations": rows,
    }
    return json.dumps(whole, indent=2) + "\n"
