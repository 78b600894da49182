"""The wording of a run's summary: counts per profile, notes, and cases that did not apply.

All reports use these functions, so that they agree.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.plain import cut, one_line
from conformance.strict_data import Table
from mock_server.strict.shapes import count_of

UNRANKED = ("nothing ran", "not declared by the driver")
"""The values of `rank` for a profile that was not judged."""
_WHOLE: Final = "conforms"
_BROKEN: Final = "does not conform"
_LONGEST_NAME: Final = 120
BACKEND: Final = "backend"
"""The value of `judged` in a run against a backend."""


def in_a_sentence(run: Table) -> str:
    """Return the summary sentence: what was judged, the result, and how many cases passed."""
    name = cut(who(run), _LONGEST_NAME)
    profiles = [each for each in run.tables("profiles") if each.text("rank") not in UNRANKED]
    broken = [each for each in profiles if each.text("rank") == _BROKEN]
    passed, played = _passed(run)
    count = count_of(passed, "case")
    if passed < played:
        count = f"{passed} of {count_of(played, 'case')}"
    how = f"over real sockets, with real faults, in {run.table('time').text('said')}"
    if run.text("judged") == BACKEND:
        how = "over real sockets"
    rests = f"passed {count} {how} ({run.number('seconds'):.1f} s)"
    if broken:
        return f"{name} does not conform to {_listed(broken)}. It {rests}."
    if profiles and all(each.text("rank") == _WHOLE for each in profiles):
        return f"{name} satisfies every MUST rule of {_listed(profiles)}: it {rests}."
    return f"{name} {rests}."


def who(run: Table) -> str:
    """Return the name and version of what was judged, or the address of an unnamed backend."""
    client = run.table("client")
    name = one_line(f"{client.text('implementation')} {client.text('version')}")
    unnamed = run.raw("backend") is not None and name == one_line(_address(run))
    return f"The backend at {name}" if unnamed else name


def _address(run: Table) -> str:
    return run.table("backend").text("address")


def _passed(run: Table) -> tuple[int, int]:
    """Return how many cases passed, and how many were judged.

    A case counts once per profile for a client, but only once for a backend.
    """
    verdicts: dict[tuple[str, str], set[str]] = {}
    once = run.text("judged") == BACKEND
    for each in run.tables("results"):
        if each.text("verdict") != "n/a":
            play = each.text("case"), "" if once else each.text("profile")
            verdicts.setdefault(play, set()).add(each.text("verdict"))
    return sum(found == {"pass"} for found in verdicts.values()), len(verdicts)


def _listed(profiles: Sequence[Table]) -> str:
    names = [each.text("name") for each in profiles]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def level(profile: Table, name: str) -> str:
    """Return the results for the rules of one level, such as `3 rules broken (41 cases)`."""
    counted = profile.table(name)
    broken, cases = len(counted.texts("broken")), counted.count("cases")
    parts = [f"{count_of(broken, 'rule')} broken ({count_of(cases, 'case')})"] if broken else []
    if known := counted.count("known"):
        parts.append(f"{known} known to be broken")
    hold = counted.count("hold")
    parts += [f"{hold} hold"] if hold else []
    if left := counted.count("not_judged"):
        parts.append(f"{left} not judged")
    return ", ".join(parts) or "-"


def sources(profile: Table) -> str:
    """Return a note with the number of broken rules by source; empty if no rule is broken."""
    counted = profile.table("sources")
    if not any(counted.count(kind) for kind in counted.values):
        return ""
    said = " · ".join(f"{kind} {counted.count(kind)}" for kind in counted.values)
    apart = profile.table("apart")
    rules, cases = len(apart.texts("broken")), apart.count("cases")
    by_source = f"broken rules by source: {said}"
    if not rules:
        return by_source
    verb = "counts" if rules == 1 else "count"
    return f"{by_source}; {rules} of them {verb} only with --strict ({count_of(cases, 'case')})"


def notes(profile: Table, judged: str) -> Iterator[str]:
    """Yield the notes that a reader needs in order to understand the verdict on a profile."""
    if said := sources(profile):
        yield said
    missed = profile.table("not_reached")
    if number := missed.count("cases"):
        because = missed.table("because")
        rules = ", ".join(f"{rule} ({because.count(rule)})" for rule in because.values)
        why = f", because the {judged} first broke {rules}" if rules else ""
        own = "its own rule" if number == 1 else "their own rules"
        yield f"{count_of(number, 'case')} could not judge {own}{why}"
    if number := profile.count("unruled"):
        program = "control program" if judged == BACKEND else "driver"
        yield f"{count_of(number, 'case')} failed because of the {program} itself, so no rule is cited"
    yield from profile.texts("remarks")


def all_notes(run: Table) -> Iterator[str]:
    """Yield the notes on every profile; a note shared by several is yielded once, with their names."""
    found: dict[str, list[str]] = {}
    for profile in run.tables("profiles"):
        for note in notes(profile, run.text("judged")):
            found.setdefault(note, []).append(profile.text("name"))
    yield from (f"{', '.join(names)}: {note}" for note, names in found.items())


def missing(run: Table) -> str:
    """Return a line about the cases that were not played, and why; empty if there are none."""
    return "" if run.raw("partial") is None else one_line(run.table("partial").text("said"))


def left_out(group: Table) -> str:
    """Return a line that says how many cases of a group did not apply, and why."""
    musts = len(group.texts("musts"))
    rules = f", {count_of(musts, 'MUST rule')} not judged at all" if musts else ""
    return f"{count_of(group.count('cases'), 'case')} n/a{rules}: {group.text('why')}"


def counts(profile: Table) -> str:
    """Return how many cases received each verdict, such as `12 pass, 1 fail`."""
    counted = profile.table("counts")
    parts = [f"{counted.count(verdict)} {verdict}" for verdict in counted.values]
    if unplayed := profile.count("unplayed"):
        parts.append(f"{unplayed} not played")
    return ", ".join(parts) or "-"
