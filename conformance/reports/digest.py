"""Pick what a reader should see first of a failure: the decisive lines, and failures by rule.

Terminal, Markdown and JUnit show the same lines: the events before the first divergence and the last
events before the case was closed. If the client goes in circles, they show the first lap instead.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from conformance.reports.summary import plural
from conformance.strict_data import Table
from conformance.trace.describe import timeline

FAILING: Final = ("error", "fail", "inconclusive")
LED: Final = 6
"""How many events are shown before a divergence."""
LAST: Final = 5
"""How many events are shown before the case was closed."""
_LAPS: Final = 3
_LONGEST_LAP: Final = 40
_MOST_OF_A_LAP: Final = 14
_NUMBER: Final = re.compile(r"\d+")
_SOURCES: Final = ("published", "interface", "standard", "proposal", "observed")


@frozen
class Line:
    """One line of a trace. `here` marks the first divergence."""

    text: str
    here: bool = False


@frozen
class Cause:
    """Results whose first finding cites the same rule; empty means that the driver failed."""

    rule: str
    results: Sequence[Table]

    @property
    def cases(self) -> Sequence[str]:
        """The ids of the cases, each once."""
        return tuple(dict.fromkeys(result.text("case") for result in self.results))

    def others(self, most: int, shown: Callable[[str], str] = str) -> str:
        """Return a line about the cases after the first; empty if there are none."""
        names = self.cases[1:]
        if not names:
            return ""
        said = f"cite {self.rule} first" if self.rule else "cite no rule"
        listed = ", ".join(map(shown, names[:most])) + (", …" if len(names) > most else "")
        return f"and {plural(len(names), 'more case')} {said}: {listed}"


@frozen
class _Entry:
    seq: int
    who: str
    kind: str
    text: str

    @property
    def signature(self) -> tuple[str, str, str]:
        return self.who, self.kind, _NUMBER.sub("#", self.text)


def causes(results: Sequence[Table], rules: Table) -> Sequence[Cause]:
    """Group results by the first rule that they cite: published rules first, then most cases."""
    found: dict[str, list[Table]] = {}
    for result in results:
        found.setdefault(_first_cited(result), []).append(result)
    grouped = [Cause(rule, each) for rule, each in found.items()]
    return sorted(grouped, key=lambda cause: (_rank(cause.rule, rules), -len(cause.cases)))


def rules_of(result: Table) -> Sequence[str]:
    """Return the rules that the findings of a result cite; without any, those of its case."""
    cited = {rule for each in result.tables("findings") for rule in each.texts("requires")}
    return sorted(cited) or result.texts("requires")


def decisive(result: Table, run: Table, longest: int = 200) -> Sequence[Line]:
    """Return the lines of a trace that best show what happened."""
    entries = _entries(result, run)
    findings = result.tables("findings")
    here = findings[0].raw("event") if findings else None
    chosen: dict[int, _Entry] = {}
    after = ""
    if result.flag("endless"):
        lap, after = _first_lap(entries, result.count("omitted"))
        chosen = {each.seq: each for each in lap}
    else:
        place = next((n for n, each in enumerate(entries) if each.seq == here), None)
        if place is not None:
            chosen = {each.seq: each for each in entries[max(0, place - LED) : place + 1]}
        chosen |= {each.seq: each for each in _open(entries)[-LAST:]}
    lines = list(_lines([chosen[seq] for seq in sorted(chosen)], here, longest))
    return [*lines, Line(after)] if after else lines


def _entries(result: Table, run: Table) -> Sequence[_Entry]:
    events = run.items("events")
    found: list[_Entry] = []
    for item in result.items("trace"):
        match item:
            case [int(seq), _, int(place)]:
                event = events[place]
                assert isinstance(event, Mapping), "the loader has checked the events"
                words = [event[key] for key in ("who", "kind", "text")]
                found.append(_Entry(seq, *map(str, words)))
            case _:
                pass
    return found


def _open(entries: Sequence[_Entry]) -> Sequence[_Entry]:
    """Return what happened before the kit closed the case."""
    for place, entry in enumerate(entries):
        if entry.kind == "called" and entry.text == "calls close":
            return entries[:place]
    return entries


def _first_lap(entries: Sequence[_Entry], omitted: int) -> tuple[Sequence[_Entry], str]:
    """Return the first lap of a client that goes in circles, and a line that says how it went on."""
    total = len(entries) + omitted
    found = _lap(entries, of_requests=True) or _lap(entries, of_requests=False)
    if found is None:
        return entries[:_MOST_OF_A_LAP], f"… and so on, {total} events in all"
    begin, length = found
    lap = entries[max(0, begin - 2) : begin + min(length, _MOST_OF_A_LAP)]
    return lap, f"… and the same again and again, {total} events in all"


def _lap(entries: Sequence[_Entry], *, of_requests: bool) -> tuple[int, int] | None:
    signatures = [entry.signature for entry in entries]
    for begin in range(len(signatures)):
        for length in range(1, min(_LONGEST_LAP, (len(signatures) - begin) // _LAPS) + 1):
            lap = signatures[begin : begin + length]
            if of_requests and not any(kind == "requested" for _, kind, _ in lap):
                continue
            if signatures[begin : begin + length * _LAPS] == lap * _LAPS:
                return begin, length
    return None


def _lines(entries: Sequence[_Entry], here: object, longest: int) -> Iterator[Line]:
    before = 0
    for entry in entries:
        if before and entry.seq > before + 1:
            yield Line("…")
        before = entry.seq
        yield Line(timeline(entry.seq, entry.who, entry.text, longest), entry.seq == here)


def _first_cited(result: Table) -> str:
    return next((rule for each in result.tables("findings") for rule in each.texts("requires")), "")


def _rank(rule: str, rules: Table) -> int:
    if not rule or not rules.has(rule):
        return -1
    kind = rules.table(rule).text("source").partition(":")[0]
    return _SOURCES.index(kind) if kind in _SOURCES else len(_SOURCES)
