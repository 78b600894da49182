"""The words of a summary: the counts of a profile, and what did not apply.

Terminal, Markdown, JUnit and the badge take their words from here, so that they agree.
"""

from collections.abc import Iterator

from conformance.plain import one_line
from conformance.strict_data import Table

UNRANKED = ("nothing ran", "not declared by the driver")
"""Ranks of a profile on which there is nothing to say."""


def plural(number: int, word: str) -> str:
    """Return `3 rules`, `1 rule`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def level(profile: Table, name: str) -> str:
    """Return how the rules of a level came out: `3 rules broken (41 cases)`."""
    counted = profile.table(name)
    broken, cases = len(counted.texts("broken")), counted.count("cases")
    parts = [f"{plural(broken, 'rule')} broken ({plural(cases, 'case')})"] if broken else []
    if known := counted.count("known"):
        parts.append(f"{known} known to be broken")
    hold = counted.count("hold")
    parts += [f"{hold} hold"] if hold else []
    if left := counted.count("not_judged"):
        parts.append(f"{left} not judged")
    return ", ".join(parts) or "-"


def sources(profile: Table) -> str:
    """Return the broken rules by source, or nothing if none is broken."""
    counted = profile.table("sources")
    if not any(counted.count(kind) for kind in counted.values):
        return ""
    said = " · ".join(f"{kind} {counted.count(kind)}" for kind in counted.values)
    apart = profile.table("apart")
    rules, cases = len(apart.texts("broken")), apart.count("cases")
    if not rules:
        return f"{said} broken"
    verb = "counts" if rules == 1 else "count"
    return f"{said} broken; {rules} of them {verb} only with --strict ({plural(cases, 'case')})"


def notes(profile: Table) -> Iterator[str]:
    """Yield what else a reader must know to read the verdict of a profile."""
    if said := sources(profile):
        yield said
    missed = profile.table("not_reached")
    if number := missed.count("cases"):
        because = missed.table("because")
        rules = ", ".join(f"{rule} ({because.count(rule)})" for rule in because.values)
        yield f"{plural(number, 'case')} not reached" + (f", because of {rules}" if rules else "")
    if number := profile.count("unruled"):
        yield f"{plural(number, 'case')} failed by the driver itself, without a rule"
    yield from profile.texts("remarks")


def missing(run: Table) -> str:
    """Return what of a run was not played and why, in one line; empty if it is complete."""
    return "" if run.raw("partial") is None else one_line(run.table("partial").text("said"))


def left_out(group: Table) -> str:
    """Return one line about a group of cases that did not apply."""
    musts = len(group.texts("musts"))
    rules = f", {plural(musts, 'MUST rule')} not judged at all" if musts else ""
    return f"{plural(group.count('cases'), 'case')} n/a{rules}: {group.text('why')}"


def counts(profile: Table) -> str:
    """Return how many cases had which verdict."""
    counted = profile.table("counts")
    parts = [f"{counted.count(verdict)} {verdict}" for verdict in counted.values]
    if unplayed := profile.count("unplayed"):
        parts.append(f"{unplayed} not played")
    return ", ".join(parts) or "-"
