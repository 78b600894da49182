"""Known failures do not fail a run, but entries that are out of date do."""

import sys
from datetime import date
from pathlib import Path

import pytest

from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.strict_data import ReadingError
from conformance.trace.events import Trace
from conformance.verdict.known_failures import Known, declared, read_baseline, weigh
from conformance.verdict.result import CaseResult, Finding
from conformance.verdict.statuses import Verdict
from tests.conformance.catalogue import all_cases
from tests.conformance.commandline import kit
from tests.conformance.sample_case import one
from tests.forked import Finished

TODAY = date(2026, 6, 1)
CASE: Case = one("[expect]\nconnects = 1")


def result(*assertions: str) -> CaseResult:
    findings = tuple(
        Finding(assertion=name, requires=("ARK-BUD-1",), expected="", actual="", event=None)
        for name in assertions
    )
    verdict = Verdict.FAIL if findings else Verdict.PASS
    return CaseResult(
        case=CASE, profile="2026-05", verdict=verdict, findings=findings, trace=Trace()
    )


def weighed(known: Known, *assertions: str) -> tuple[Verdict, str]:
    found = weigh([result(*assertions)], [known], [CASE], TODAY)
    return found.results[0].verdict, " ".join(found.stale)


def test_a_known_failure_does_not_fail() -> None:
    known = Known(case="budget.small", reason="not yet")
    assert weighed(known, "connects", "sleeps") == (Verdict.KNOWN_FAILURE, "")


def test_a_known_assertion_does_not_cover_another() -> None:
    known = Known(case="budget.small", assertion=("connects",), reason="not yet")
    assert weighed(known, "connects", "sleeps") == (Verdict.FAIL, "")


def test_another_profile_is_not_covered() -> None:
    known = Known(case="budget.small", profile=("hardened",), reason="not yet")
    assert weighed(known, "connects") == (Verdict.FAIL, "")


def test_a_known_failure_that_passes_is_stale() -> None:
    verdict, stale = weighed(Known(case="budget.small", reason="not yet"))
    assert (verdict, "passes now" in stale) == (Verdict.PASS, True)


def test_an_unknown_case_is_stale_and_the_nearest_is_named() -> None:
    _, stale = weighed(Known(case="budget.smal", reason="not yet"))
    assert "did you mean 'budget.small'?" in stale


@pytest.mark.parametrize(
    ("expires", "stale"), [(date(2026, 5, 31), True), (TODAY, False), (None, False)]
)
def test_an_entry_is_stale_once_its_date_has_passed(expires: date | None, *, stale: bool) -> None:
    _, said = weighed(Known(case="budget.small", reason="not yet", expires=expires), "connects")
    assert ("expired" in said) is stale


def test_a_baseline_is_read_strictly(tmp_path: Path) -> None:
    file = tmp_path / "baseline.toml"
    file.write_text('[[known]]\ncase = "a.b"\nreason = "r"\nexpires = "soon"\n')
    with pytest.raises(ReadingError, match="'soon' is not a date"):
        read_baseline(file, load_requirements())


def test_every_mistake_of_a_baseline_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "baseline.toml"
    file.write_text(
        '[[known]]\ncase = "a.b"\n[[known]]\ncase = 1\nreason = "r"\nprofile = "2026-06"\n'
    )
    with pytest.raises(ReadingError) as raised:
        read_baseline(file, load_requirements())
    assert raised.value.mistakes == (
        "baseline.toml: known 1: 'reason' is missing (line 1)",
        "baseline.toml: known 2.case: 1 (integer) is not a string (line 4)",
        "baseline.toml: known 2.profile: '2026-06' is unknown; did you mean '2026-07'? (line 6)",
    )


@pytest.mark.parametrize(
    ("entry", "status", "said"),
    [
        ('case = "create.refused[500]"\nreason = "r"', 5, "passes now"),
        ('case = "create.refusedd"\nreason = "r"', 5, "no such case"),
        ('case = "create.refused"\nreason = "r"\nexpires = "2020-01-01"', 5, "expired on 2020"),
        ('case = "create.refused"\nreason = "r"\nknown = 1', 3, "'known' is unknown"),
        ('case = "create.refused[500]"\nreasons = "r"', 3, "'reason' is missing"),
    ],
)
def test_a_stale_baseline_has_a_status_of_its_own(
    tmp_path: Path, entry: str, status: int, said: str
) -> None:
    file = tmp_path / "baseline.toml"
    file.write_text(f"[[known]]\n{entry}\n")
    done = kit("run", "--case", "create.refused[500]", "--baseline", str(file))
    assert (done.status, said in done.out + done.err) == (status, True), done


def against_a_broken_client(tmp_path: Path, known: str) -> Finished:
    file = tmp_path / "baseline.toml"
    file.write_text(f'[[known]]\ncase = "create.accepted"\nreason = "no client yet"\n{known}')
    driver = (sys.executable, "tests/conformance/wrong_drivers/unsound.py", "none")
    return kit(
        *("run", "--case", "create.accepted", "--profile", "2026-05", "--patience", "1"),
        *("--baseline", str(file), "--", *driver),
    )


def test_a_baseline_of_a_template_covers_its_cases_and_is_told_to_name_them(
    tmp_path: Path,
) -> None:
    done = against_a_broken_client(tmp_path, "")
    assert (done.status, "3 known-failure" in done.out) == (5, True), done
    assert "create.accepted: is a template, which covers all of its 3 cases" in done.err
    assert "in the baseline, name only the cases that fail: create.accepted[200], " in done.err


def test_a_baseline_by_case_accepts_whatever_fails_there() -> None:
    known = Known(case="budget.small", reason="not yet")
    assert weighed(known, "connects", "anything") == (Verdict.KNOWN_FAILURE, "")


def test_an_unknown_case_of_declared_gaps_is_stale() -> None:
    _, stale = weighed(declared({"budget.smal": "not yet"})[0], "connects")
    assert "no such case; did you mean 'budget.small'? (the driver's declared_gaps)" in stale


def test_a_baseline_by_assertion_accepts_nothing_else(tmp_path: Path) -> None:
    done = against_a_broken_client(tmp_path, 'assertion = "requests.create"')
    assert (done.status, "3 inconclusive" in done.out) == (1, True), done


def test_a_baseline_of_an_assertion_that_holds_says_what_fails_instead(tmp_path: Path) -> None:
    done = against_a_broken_client(tmp_path, 'assertion = "connects"')
    assert (done.status, "passes now, though the case still fails on" in done.err) == (1, True), (
        done
    )


def test_a_hundred_thousand_unknown_gaps_are_told_in_a_few_lines_and_at_once() -> None:
    gaps = declared({f"budget.no-{n}": "r" for n in range(100_000)})
    found = weigh([], gaps, all_cases(), TODAY)
    assert (len(found.stale), found.stale[-1]) == (31, "and 99970 more like these")
