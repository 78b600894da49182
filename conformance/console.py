"""The report on the terminal: a run must explain itself to somebody who sees it for the first time.

It knows rich and the width of a screen. It refuses to know how a verdict was reached.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import define
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from conformance.catalogue import Outcome
from conformance.narration import line
from conformance.reports.record import rerun
from conformance.specification import Level, Requirement
from conformance.verdict import CaseResult, Finding
from conformance.verdict_words import Verdict

STYLES: Final[Mapping[Verdict, str]] = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.WARN: "yellow",
    Verdict.INCONCLUSIVE: "bold magenta",
    Verdict.NOT_APPLICABLE: "dim",
    Verdict.KNOWN_FAILURE: "yellow",
    Verdict.ERROR: "bold white on red",
}
_UNDECLARED: Final = ("not declared by the driver", "-", "-", "-")
_MOST_FAILURES: Final = 20
_MOST_FINDINGS: Final = 3
_TIMELINE: Final = 6


@define
class Report:
    """Prints an outcome."""

    console: Console
    requirements: Mapping[str, Requirement]
    command: Sequence[str]
    """The driver's command as the user gave it; empty for the reference."""

    def print(self, outcome: Outcome) -> None:
        """Print everything: failures first, the verdict last, where the eye is."""
        troubled = [
            result
            for result in outcome.results
            if result.verdict.fails or result.verdict in {Verdict.WARN, Verdict.ERROR}
        ]
        mode = outcome.timing.mode
        for result in troubled[:_MOST_FAILURES]:
            self.console.print(self._failure(result))
            # Not wrapped: the command must survive being copied.
            self.console.print(
                f"  rerun it alone  {rerun(result, self.command, mode)}\n",
                soft_wrap=True,
                markup=False,
            )
        if len(troubled) > _MOST_FAILURES:
            more = len(troubled) - _MOST_FAILURES
            self.console.print(f"… and {more} more; --case shows one, --filter some of them.\n")
        self._not_applicable(outcome)
        self.console.print(_summary(outcome))
        identity = outcome.identity
        self._say(
            f"{identity.implementation} {identity.version} · {len(outcome.results)} verdicts in "
            f"{outcome.seconds:.1f} s · real sockets, real faults, {outcome.timing}"
        )

    def _say(self, line: str) -> None:
        self.console.print(Text(line, style="dim"), soft_wrap=True)

    def _failure(self, result: CaseResult) -> RenderableType:
        head = Text.assemble(
            (f"{result.verdict.value.upper()} ", STYLES[result.verdict]),
            (result.case.id, "bold"),
            f"  under {result.profile}",
        )
        parts: list[RenderableType] = [Text(f"why it matters  {result.case.why}", style="dim")]
        parts += [self._rules(result)]
        for finding in result.findings[:_MOST_FINDINGS]:
            parts.append(_finding(finding))
        if len(result.findings) > _MOST_FINDINGS:
            parts.append(Text(f"and {len(result.findings) - _MOST_FINDINGS} more findings"))
        if result.findings and (event := result.findings[0].event) is not None:
            parts.append(_timeline(result, event.seq))
        if result.reason:
            parts.append(Text(f"the driver's log  {result.reason[-600:]}", style="dim"))
        return Group(head, *(Padding(part, (0, 0, 0, 2)) for part in parts))

    def _rules(self, result: CaseResult) -> RenderableType:
        cited = {rule for finding in result.findings for rule in finding.requires}
        table = Table.grid(padding=(0, 2))
        for rule in sorted(cited) or result.case.requires:
            requirement = self.requirements[rule]
            table.add_row(
                Text(f"{rule} {requirement.level.value}", style="bold"), requirement.text.strip()
            )
        return table

    def _not_applicable(self, outcome: Outcome) -> None:
        reasons = Counter(
            result.reason for result in outcome.results if result.verdict is Verdict.NOT_APPLICABLE
        )
        for reason, count in reasons.items():
            self._say(f"{count} not applicable: {reason}")
        given_up = Counter(each for result in outcome.results for each in result.unjudged)
        for each, count in given_up.items():
            self._say(f"{count} of {each.word} {each.why}")


def _summary(outcome: Outcome) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for name in ("profile", "verdict", "MUST", "SHOULD", "cases"):
        table.add_column(name, header_style="dim")
    for profile in dict.fromkeys(result.profile for result in outcome.results):
        results = [result for result in outcome.results if result.profile == profile]
        declared = profile in outcome.identity.profiles
        table.add_row(profile, *(profile_row(results) if declared else _UNDECLARED))
    return table


def profile_row(results: Sequence[CaseResult]) -> tuple[Text, str, str, str]:
    """Return the verdict of a profile: every MUST that ran must hold, without percentages."""
    counts = Counter(result.verdict for result in results)
    ran = len(results) - counts[Verdict.NOT_APPLICABLE]
    broken = [r for r in results if r.case.level is Level.MUST and r.verdict.fails]
    warned = counts[Verdict.WARN]
    parts = [f"{counts[v]} {v.value}" for v in Verdict if counts[v]]
    if counts[Verdict.ERROR]:
        verdict = Text("NOT JUDGED", style=STYLES[Verdict.ERROR])
    elif not ran:
        verdict = Text("NOTHING RAN", style=STYLES[Verdict.NOT_APPLICABLE])
    elif any(result.verdict.fails for result in results):
        verdict = Text("DOES NOT CONFORM", style=STYLES[Verdict.FAIL])
    elif counts[Verdict.KNOWN_FAILURE]:
        verdict = Text("conforms but for known failures", style=STYLES[Verdict.WARN])
    else:
        verdict = Text("CONFORMS", style="bold green")
    if not ran:
        return verdict, "-", "-", ", ".join(parts)
    musts = f"{len(broken)} broken" if broken else "all hold"
    return verdict, musts, f"{warned} broken" if warned else "all hold", ", ".join(parts)


def _finding(finding: Finding) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_row(Text(finding.assertion, style="bold"), "")
    table.add_row("  expected", Text(finding.expected))
    table.add_row("  actual", Text(finding.actual, style="red"))
    return table


def _timeline(result: CaseResult, diverging: int) -> RenderableType:
    """Show the first diverging event with what led to it."""
    events = result.trace.events
    lines: list[Text] = []
    for event in events[max(0, diverging - _TIMELINE) : diverging + 1]:
        here = event.seq == diverging
        lines.append(Text(f"{'>' if here else ' '} {line(event)}", style="red" if here else "dim"))
    return Group(*lines)
