"""Select what a reader should see first about a failure: its cause and the decisive events.

Terminal, Markdown and JUnit reports show the same lines: the events that lead up to the first
divergence, and the last events before the case was closed. If the client loops, they show the first
iteration of the loop instead.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from conformance.plain import cut
from conformance.reports.summary import BACKEND
from conformance.strict_data import Json, Table
from conformance.trace.describe import KIT, timeline
from mock_server.strict.shapes import count_of

FAILING: Final = ("error", "fail", "inconclusive")
LED: Final = 6
"""The number of events shown before a divergence."""
LAST: Final = 5
"""The number of final events shown, not counting those that close the case."""
_LAPS: Final = 3
_LONGEST_LAP: Final = 40
_MOST_OF_A_LAP: Final = 14
_NUMBER: Final = re.compile(r"\d+")


@frozen
class Line:
    """One line of a trace; `here` is true for the event at which the client goes wrong."""

    text: str
    here: bool = False


@frozen
class Cause:
    """A cause and the failures that it explains; causes are numbered from 1."""

    number: int
    values: Table
    results: Sequence[Table]
    total: int
    """The total number of failures in the run, or of warnings if the cause is a warning."""
    judged: str
    """The side of the protocol that was judged: `client` or `backend`."""

    @property
    def rule(self) -> str:
        """The broken rule; empty if no rule explains the failures."""
        return self.values.text("rule")

    @property
    def cases(self) -> Sequence[str]:
        """The ids of the cases that have this cause, without duplicates."""
        return tuple(dict.fromkeys(result.text("case") for result in self.results))

    def others(self, most: int, shown: Callable[[str], str] = str) -> str:
        """Return a line that names up to `most` of the cases after the first; empty if there are none."""
        names = self.cases[1:]
        if not names:
            return ""
        listed = ", ".join(map(shown, names[:most])) + (", …" if len(names) > most else "")
        return f"and {count_of(len(names), 'more case')}: {listed}"

    @property
    def step(self) -> str:
        """What the client or backend does wrong, and when."""
        return _step_of(self.values, self.judged)

    @property
    def sentence(self) -> str:
        """The cause in one sentence: the number of failures, the step and the rule."""
        if self.judged == BACKEND:
            return self._of_a_backend
        number, alike = len(self.results), self.values.count("alike")
        what = "warning" if self.values.flag("warning") else "failure"
        share = f"{number} of {count_of(self.total, what)}"
        if number == self.total:
            share = f"all {count_of(number, what)}" if number > 1 else f"the only {what}"
        rule = f" ({self.rule})" if self.rule else ""
        if number == 1:
            return f"{_capital(share)}: {self.step}{rule}."
        if alike == number:
            return f"{_capital(share)} begin with the same step: {self.step}{rule}."
        return (
            f"{_capital(share)} come from one broken rule{rule}; {alike} of them "
            f"{'begins with this' if alike == 1 else 'begin with the same'} step: {self.step}."
        )

    @property
    def _of_a_backend(self) -> str:
        """The cause as text, for a backend: how the first case fails, and how many others fail too."""
        said = self.step.removesuffix(".")
        said = f"warning: {said}" if self.values.flag("warning") else said
        more = len(self.cases) - 1
        verb = "breaks" if more == 1 else "break"
        also = f" {count_of(more, 'more case')} {verb} it too." if more else ""
        return f"{_capital(said)}.{also}"

    @property
    def hints(self) -> Sequence[str]:
        """Lines that help to find the bug; one may name the most similar of the kit's broken clients."""
        lines: list[str] = []
        if self.values.flag("follows"):
            lines.append("This may be a consequence of a cause listed above.")
        if self.values.raw("resembles") is not None:
            like = self.values.table("resembles")
            lines.append(
                f"Similar to the kit's broken client {like.text('name')}: {like.text('what')}"
            )
        return lines


def sentence_of(begins: Table, judged: str = "client") -> str:
    """Return a sentence that says how one failure begins."""
    return f"{_capital(_step_of(begins, judged))}."


def _step_of(begins: Table, judged: str) -> str:
    said = f"the {judged} {begins.text('said')}"
    return f"{begins.text('occasion')}, {said}" if begins.text("occasion") else said


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


@frozen
class _Entry:
    seq: int
    who: str
    kind: str
    text: str

    @property
    def signature(self) -> tuple[str, str, str]:
        return self.who, self.kind, _NUMBER.sub("#", self.text)


def causes(run: Table) -> Sequence[Cause]:
    """Return the causes found in a run: failures before warnings, and the largest first."""
    results = run.tables("results")
    found = run.tables("causes")
    totals = dict.fromkeys((True, False), 0)
    for each in found:
        totals[each.flag("warning")] += len(each.items("results"))
    return [
        Cause(
            number,
            each,
            [results[place] for place in each.items("results") if isinstance(place, int)],
            totals[each.flag("warning")],
            run.text("judged"),
        )
        for number, each in enumerate(found, 1)
    ]


def rules_of(result: Table) -> Sequence[str]:
    """Return the rules that a result's findings cite; if they cite none, return its case's rules."""
    cited = {rule for each in result.tables("findings") for rule in each.texts("requires")}
    return sorted(cited) or result.texts("requires")


def names_its_rule(finding: Table, result: Table) -> bool:
    """Return whether a finding only repeats the rule of its result, which the report shows anyway."""
    return [finding.text("assertion")] == list(rules_of(result))


def decisive(result: Table, run: Table, longest: int = 200) -> Sequence[Line]:
    """Return the trace lines that best show what happened."""
    entries = _entries(result, run)
    here = parted_at(result)
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


def parted_at(result: Table) -> Json:
    """Return the number of the event at which the client goes wrong; None if there is none.

    This is where the client diverges from the reference. If it does not diverge, this is the event
    of the first finding.
    """
    if (side := _side(result, "client")) is not None:
        return side.raw("event")
    findings = result.tables("findings")
    return findings[0].raw("event") if findings else None


def reference_step(result: Table, run: Table, longest: int = 200) -> str:
    """Return, as a line of a trace, what the reference does at the point where the client diverges."""
    side = _side(result, "reference")
    if side is None or result.raw("reference") is None:
        return ""
    number = side.raw("event")
    if number is None:
        return cut("     does nothing more", longest)
    entries = _entries(result.table("reference"), run)
    found = next((each for each in entries if each.seq == number), None)
    return "" if found is None else timeline(found.seq, found.who, found.text, longest)


def cells(result: Table) -> str:
    """Return the state-table cells of the client and the reference at the point where they diverge."""
    sides = [_side(result, whose) for whose in ("client", "reference")]
    client, reference = ("" if side is None else side.text("cell") for side in sides)
    return client if client == reference else f"{client}; the reference: {reference}"


def _side(result: Table, whose: str) -> Table | None:
    """Return what the client or the reference does where they diverge; None if they do not diverge."""
    if result.raw("begins") is None or result.table("begins").raw(whose) is None:
        return None
    return result.table("begins").table(whose)


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
    """Return the events before the kit ends the case by closing the client or the kit's streams."""
    for place, entry in enumerate(entries):
        if entry.kind == "called" and entry.text == "calls close":
            return entries[:place]
    kept = len(entries)
    while kept and (entries[kept - 1].kind, entries[kept - 1].who) == ("ended", KIT):
        kept -= 1
    return entries[:kept]


def _first_lap(entries: Sequence[_Entry], omitted: int) -> tuple[Sequence[_Entry], str]:
    """Return one iteration of the client's loop, and a line about the rest.

    If no loop is found, return the first events instead.
    """
    total = len(entries) + omitted
    found = _lap(entries, of_requests=True) or _lap(entries, of_requests=False)
    if found is None:
        return entries[:_MOST_OF_A_LAP], f"… and so on, {total} events in all"
    begin, length = found
    lap = entries[max(0, begin - 2) : begin + min(length, _MOST_OF_A_LAP)]
    return lap, f"… repeated in a loop, {total} events in all"


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
