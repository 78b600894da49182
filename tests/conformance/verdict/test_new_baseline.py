"""A baseline that the kit writes covers what fails, no more; written again it keeps what people wrote."""

import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from attrs import evolve

from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.trace.events import Trace
from conformance.verdict.known_failures import Known, read_baseline, weigh
from conformance.verdict.new_baseline import baseline_text, renew
from conformance.verdict.result import CaseResult, Finding
from conformance.verdict.statuses import Verdict
from tests.conformance.commandline import UNSOUND, kit
from tests.conformance.sample_case import one

TODAY = date(2026, 6, 1)
CASE: Case = one("[expect]\nconnects = 1")
HOSTILE = 'a "quote" \\ and\na line\x00 \u202e \ud800 é'


def result(*words: str, profile: str = "2026-05", verdict: Verdict = Verdict.FAIL) -> CaseResult:
    findings = tuple(
        Finding(assertion=word, requires=("ARK-BUD-1",), expected="1", actual=HOSTILE, event=None)
        for word in words
    )
    verdict = verdict if words else Verdict.PASS
    return CaseResult(case=CASE, profile=profile, verdict=verdict, findings=findings, trace=Trace())


def written(results: Sequence[CaseResult], folder: Path, *earlier: Known) -> tuple[Known, ...]:
    """Return the entries of the file that is written after a run, read again."""
    file = folder / "baseline.toml"
    known = renew(earlier, (), results, [CASE]).known
    file.write_text(baseline_text(HOSTILE, known, results, load_requirements()), "utf-8")
    return read_baseline(file, load_requirements())


FAILING = (result("connects"), result("connects", "sleeps", profile="2026-07"))


def test_what_is_written_covers_what_failed_and_is_not_stale(tmp_path: Path) -> None:
    known = written(FAILING, tmp_path)
    weighed = weigh(FAILING, known, [CASE], TODAY)
    assert {each.verdict for each in weighed.results} == {Verdict.KNOWN_FAILURE}
    assert weighed.stale == []


@pytest.mark.parametrize("words", [("sleeps",), ("connects", "sleeps")])
def test_a_new_failure_of_the_same_case_is_not_covered(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    known = written(FAILING, tmp_path)
    assert weigh([result(*words)], known, [CASE], TODAY).results[0].verdict is Verdict.FAIL


def test_profiles_in_which_a_case_fails_alike_are_one_entry(tmp_path: Path) -> None:
    alike = (result("connects"), result("connects", profile="hardened"))
    (entry,) = written(alike, tmp_path)
    assert (entry.profile, entry.rule) == (("2026-05", "hardened"), ("ARK-BUD-1",))


def test_each_entry_asks_for_a_reason(tmp_path: Path) -> None:
    assert [each.unsaid for each in written(FAILING, tmp_path)] == [True, True]


@pytest.mark.parametrize("verdict", [Verdict.WARN, Verdict.ERROR])
def test_only_what_fails_is_written(verdict: Verdict, tmp_path: Path) -> None:
    assert written([result("connects", verdict=verdict)], tmp_path) == ()


def test_an_update_keeps_reasons_and_dates(tmp_path: Path) -> None:
    known = written(FAILING, tmp_path)
    edited = [evolve(each, reason=HOSTILE[:20], expires=date(2027, 1, 1)) for each in known]
    assert list(written(FAILING, tmp_path, *edited)) == edited


def test_an_update_leaves_out_what_passes_and_narrows_what_passes_in_part(tmp_path: Path) -> None:
    alike = (result("connects"), result("connects", profile="hardened"))
    known = written(alike, tmp_path)
    mended = [result("connects"), result(profile="hardened")]
    assert [each.profile for each in written(mended, tmp_path, *known)] == [("2026-05",)]
    assert written([result(), result(profile="hardened")], tmp_path, *known) == ()


def test_an_entry_that_fails_under_fewer_profiles_is_stale(tmp_path: Path) -> None:
    known = written((result("connects"), result("connects", profile="hardened")), tmp_path)
    (said,) = weigh([result("connects"), result(profile="hardened")], known, [CASE], TODAY).stale
    assert "is now limited to budget.small under 2026-05, connects; narrow" in said


def test_an_update_keeps_what_was_not_played_and_what_is_known_by_its_rule(tmp_path: Path) -> None:
    kept = (
        Known(rule=("ARK-BUD-1",), reason="r"),
        Known(case="budget.small", reason="r", profile=("2026-07",)),
    )
    assert written([result()], tmp_path, *kept) == kept


def test_what_the_driver_declares_itself_is_not_written() -> None:
    gap = Known(case="budget.small", reason="r", by="the driver's declared_gaps")
    assert renew((), (gap,), FAILING, [CASE]).known == []


def run(fault: str, *arguments: str) -> tuple[int, str]:
    chosen = ("--case", "create.accepted[200]", "--profile", "2026-05", "--patience", "1")
    done = kit("run", *chosen, *arguments, "--", sys.executable, str(UNSOUND), fault)
    return done.status, done.out + done.err


def test_a_run_with_the_baseline_that_it_wrote_is_green_and_counts_missing_reasons(
    tmp_path: Path,
) -> None:
    file = str(tmp_path / "baseline.toml")
    status, said = run("none", "--write-baseline", file)
    assert (status, f"{file} was written: 1 new" in said) == (1, True), said
    status, said = run("none", "--baseline", file)
    assert (
        status,
        f"1 known failure has no reason yet: replace 'TODO' in {file}" in said,
    ) == (
        0,
        True,
    ), said


def test_a_baseline_is_updated_only_if_it_was_read(tmp_path: Path) -> None:
    file = tmp_path / "baseline.toml"
    file.write_text(
        '[[known]]\ncase = "create.accepted[201]"\nreason = "kept"\n'
        '[[known]]\ncase = "create.gone"\nreason = "an old one"\n'
    )
    status, said = run("none", "--write-baseline", str(file))
    assert (status, f"the file already exists; to update it, add --baseline {file}" in said) == (
        2,
        True,
    )
    status, said = run("none", "--write-baseline", str(file), "--baseline", str(file))
    assert (status, "1 kept, 1 new" in said, "left out of" in said) == (1, True, True), said
    assert 'reason = "kept"' in file.read_text()


def test_a_rule_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "baseline.toml"
    file.write_text('[[known]]\nrule = "ARK-RES-99"\nreason = "r"\n[[known]]\nreason = "r"\n')
    done = kit("run", "--baseline", str(file))
    assert (done.status, "known 2: has neither 'case' nor 'rule'" in done.err) == (3, True), done
    file.write_text('[[known]]\nrule = "ARK-RES-99"\nreason = "r"\n')
    done = kit("run", "--baseline", str(file))
    assert (done.status, "'ARK-RES-99' is unknown; did you mean 'ARK-RES-9'?" in done.err) == (
        3,
        True,
    ), done
