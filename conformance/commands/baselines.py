"""Write baselines, and read known failures from them, for the commands of the kit."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.casefile.loader import load_cases
from conformance.casefile.requirements import Requirement
from conformance.explore.known import PassingOver
from conformance.plain import say
from conformance.reports import check_file, write_file
from conformance.strict_data import UsageError
from conformance.verdict.known_failures import UNSAID, Known, read_baseline
from conformance.verdict.new_baseline import Renewed, baseline_text
from conformance.verdict.result import CaseResult


def check_new_baseline(path: Path, earlier: Path | None) -> None:
    """Raise ReadingError if `path` cannot be written, or exists and is not the earlier baseline."""
    if path.exists() and (earlier is None or not path.samefile(earlier)):
        raise UsageError(
            f"--write-baseline {path}",
            f"the file already exists; to update it, add --baseline {path}",
        )
    check_file(path, "--write-baseline")


def write_baseline(
    path: Path,
    renewed: Renewed,
    name: str,
    results: Sequence[CaseResult],
    rules: Mapping[str, Requirement],
    *,
    whole: bool,
) -> None:
    """Write the known failures of the client or backend `name`; raise ReadingError on failure.

    Write nothing if the run is not `whole`: an interrupted run does not show all failures.
    """
    if not whole:
        say(f"{path} was not written, because the run was interrupted", err=True)
        return
    text = baseline_text(name, renewed.known, results, rules)
    write_file(path, text, "--write-baseline")
    for each in renewed.dropped:
        say(f"left out of {path} because it passes now or does not exist: {each} ({each.reason})")
    say(f"{path} was written: {_counted(renewed)}")


def _counted(renewed: Renewed) -> str:
    if not renewed.known:
        return "it is empty, because there are no failures to list"
    kept = f"{len(renewed.kept)} kept, " if renewed.kept else ""
    new = len(renewed.new)
    said = f"{kept}{new} new"
    return f"{said}; add a reason to each new entry" if new else said


def passing_over(path: Path | None, rules: Mapping[str, Requirement]) -> PassingOver:
    """Return the known failures that a search skips; without a baseline, there are none."""
    if path is None:
        return PassingOver.of((), ())
    known = read_baseline(path, rules)
    if said := without_reasons(known, str(path)):
        say(said, err=True)
    return PassingOver.of(known, load_cases(rules))


def without_reasons(known: Sequence[Known], where: str) -> str:
    """Return a message that counts the known failures without a reason; empty if all have one."""
    number = sum(each.unsaid for each in known)
    if not number:
        return ""
    have = "known failure has" if number == 1 else "known failures have"
    return f"{number} {have} no reason yet: replace {UNSAID!r} in {where}"
