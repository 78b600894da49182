"""What the driver guide says of two libraries for event streams is what the kit finds.

Both only follow. The guide has a table for each: the rules that it breaks, in how many cases, and one
of them. The examples are played here; the numbers of all cases, in a thorough run.
"""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import anyio
import pytest
from attrs import frozen

from conformance.casefile.selection import select
from conformance.runner.run import Outcome, Plan, run
from conformance.verdict.result import CaseResult
from conformance.verdict.statuses import Verdict
from tests.conformance.catalogue import all_cases
from tests.conformance.commandline import ROOT
from tests.conformance.npm import installed_adapters

GUIDE: Final = (ROOT / "spec" / "driver-guide.md").read_text("utf-8")
LAUNCHDARKLY: Final = "launchdarkly-eventsource"
EVENTSOURCE: Final = "eventsource"
PROFILE: Final = "2026-07"
LEAST: Final = 450


@frozen
class Row:
    """A rule that a library breaks, as the guide has it."""

    rule: str
    counts: bool
    cases: int
    example: str


@frozen
class Findings:
    """What the guide says of a library."""

    version: str
    judged: int
    passed: int
    rows: Sequence[Row]


def stated(library: str) -> Findings:
    heading = rf"^### What `{library}` (\S+) gets wrong\n\nOf the (\d+) cases that were judged, (\d+) pass"
    found = re.search(heading, GUIDE, re.MULTILINE)
    assert found is not None
    section = GUIDE[found.end() :].partition("\n#")[0]
    rows = re.findall(r"^\| (\*?)(ARK-[A-Z]+-\d+)\*? \| (\d+) \| `(.+?)` \|", section, re.MULTILINE)
    return Findings(
        found[1],
        int(found[2]),
        int(found[3]),
        [Row(rule, not advice, int(count), example) for advice, rule, count, example in rows],
    )


def wrong(outcome: Outcome) -> list[CaseResult]:
    apart = {Verdict.PASS, Verdict.NOT_APPLICABLE}
    return [result for result in outcome.results if result.verdict not in apart]


def play(command: Sequence[str], ids: Sequence[str] = ()) -> Outcome:
    cases = select(all_cases(), ids)
    return anyio.run(run, Plan(command=command, cases=cases, profiles=[PROFILE], lanes=2))


def check_examples(command: Sequence[str], library: str) -> None:
    rows = stated(library).rows
    outcome = play(command, [row.example for row in rows])
    found = {result.case.id: result for result in wrong(outcome)}
    for row in rows:
        assert found[row.example].findings[0].requires[0] == row.rule, row
        assert (found[row.example].verdict is not Verdict.WARN) is row.counts, row


def check_all(command: Sequence[str], library: str) -> None:
    guide, outcome = stated(library), play(command)
    failed = wrong(outcome)
    verdicts = Counter(result.verdict for result in outcome.results)
    judged = len(outcome.results) - verdicts[Verdict.NOT_APPLICABLE]
    assert judged >= LEAST
    rules = Counter(result.findings[0].requires[0] for result in failed)
    assert rules == {row.rule: row.cases for row in guide.rows}
    assert (judged, verdicts[Verdict.PASS]) == (guide.judged, guide.passed)


def launchdarkly() -> tuple[str, ...]:
    if version(LAUNCHDARKLY) != stated(LAUNCHDARKLY).version:
        pytest.skip(f"the guide tells of another version than {version(LAUNCHDARKLY)}")
    return (sys.executable, "-P", "-m", "conformance.drivers.python.launchdarkly")


@pytest.fixture(scope="module")
def eventsource(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    home = installed_adapters(tmp_path_factory.mktemp("adapters"), "eventsource")
    manifest = home / "eventsource" / "node_modules" / "eventsource" / "package.json"
    installed = re.search(r'"version": "(.+?)"', manifest.read_text("utf-8"))
    if installed is None or installed[1] != stated(EVENTSOURCE).version:
        pytest.skip("the guide tells of another version than the one that npm installs")
    return ("node", str(home / "eventsource" / "driver.mjs"))


@pytest.mark.parametrize("library", [LAUNCHDARKLY, EVENTSOURCE])
def test_the_numbers_of_the_guide_add_up(library: str) -> None:
    guide = stated(library)
    assert guide.judged >= LEAST
    assert guide.judged == guide.passed + sum(row.cases for row in guide.rows)


def test_the_examples_of_launchdarkly_eventsource_break_the_rules_of_the_guide() -> None:
    check_examples(launchdarkly(), LAUNCHDARKLY)


@pytest.mark.thorough
def test_the_examples_of_eventsource_break_the_rules_of_the_guide(
    eventsource: tuple[str, ...],
) -> None:
    check_examples(eventsource, EVENTSOURCE)


@pytest.mark.thorough
def test_launchdarkly_eventsource_breaks_what_the_guide_says_and_nothing_else() -> None:
    check_all(launchdarkly(), LAUNCHDARKLY)


@pytest.mark.thorough
def test_eventsource_breaks_what_the_guide_says_and_nothing_else(
    eventsource: tuple[str, ...],
) -> None:
    check_all(eventsource, EVENTSOURCE)
