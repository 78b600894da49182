"""Saved runs compared: one client over time, several side by side, and what they do not share."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from attrs import evolve

from conformance.casefile.model import Case
from conformance.reports.comparison.contrast import Change, Contrast, changed
from conformance.reports.comparison.markdown import markdown
from conformance.reports.comparison.page import page
from conformance.reports.comparison.sentences import (
    basis,
    cell,
    count_of_cases,
    in_a_sentence,
    step_in_a_line,
)
from conformance.reports.comparison.sides import sides_of
from conformance.reports.run_json.saved import as_json
from conformance.strict_data import Json
from conformance.verdict.result import CaseResult
from conformance.verdict.scope import Scope
from conformance.verdict.statuses import Verdict
from conformance.verdict.time_modes import TimeMode
from tests.conformance.commandline import kit
from tests.conformance.sample_case import one
from tests.conformance.sample_run import HOSTILE, result, run
from tests.forked import Finished

PASSING = result(Verdict.PASS)
FAILING = result(Verdict.FAIL)
OTHER = evolve(
    PASSING,
    case=one(
        "expect.connects = 1\n", head='id = "budget.other"\nrequires = ["ARK-BUD-1"]\nwhy = "So."\n'
    ),
)


def made(*runs: Mapping[str, Json]) -> Contrast:
    return Contrast(sides_of([(Path(f"run-{n}.json"), each) for n, each in enumerate(runs, 1)]))


def clients(*results: Sequence[CaseResult]) -> Contrast:
    return made(*(run(each, name=f"client {n}") for n, each in enumerate(results, 1)))


def history(*results: Sequence[CaseResult]) -> Contrast:
    return made(*(run(each) for each in results))


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (Verdict.PASS, Verdict.FAIL, Change.BROKE),
        (Verdict.WARN, Verdict.INCONCLUSIVE, Change.BROKE),
        (Verdict.FAIL, Verdict.PASS, Change.FIXED),
        (Verdict.KNOWN_FAILURE, Verdict.PASS, Change.FIXED),
        (Verdict.FAIL, Verdict.KNOWN_FAILURE, Change.STILL),
        (Verdict.NOT_APPLICABLE, Verdict.FAIL, Change.FOUND),
        (Verdict.FAIL, Verdict.NOT_APPLICABLE, Change.LOST),
        (Verdict.PASS, Verdict.WARN, Change.WARNED),
        (Verdict.WARN, Verdict.PASS, Change.UNWARNED),
        (Verdict.PASS, Verdict.PASS, None),
        (Verdict.NOT_APPLICABLE, Verdict.PASS, None),
    ],
)
def test_a_history_tells_what_became_of_a_case(
    before: Verdict, after: Verdict, change: Change | None
) -> None:
    rows = history([result(before), OTHER], [result(after), OTHER]).cases
    found = {each: changed(rows, each) for each in Change}
    expected = {} if change is None else {change: {"budget.small": ("2026-05",)}}
    assert {each: names for each, names in found.items() if names} == expected


def test_the_sentence_of_a_history_names_the_rules() -> None:
    assert in_a_sentence(history([PASSING], [FAILING])) == (
        "probe, from run-1 to run-2: 1 MUST rule broke (ARK-BUD-1)."
    )
    assert in_a_sentence(history([FAILING], [PASSING])) == (
        "probe, from run-1 to run-2: 1 MUST rule was fixed (ARK-BUD-1)."
    )


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([[PASSING], [PASSING]], "nothing broke, and no MUST rule is broken."),
        (
            [[FAILING], [FAILING]],
            "nothing broke, nothing was fixed and 1 MUST rule is still broken.",
        ),
    ],
)
def test_the_sentence_of_a_history_without_change(
    results: Sequence[Sequence[CaseResult]], said: str
) -> None:
    assert in_a_sentence(history(*results)).endswith(said)


def test_a_history_is_told_step_by_step_and_from_the_first_to_the_last() -> None:
    contrast = history([PASSING], [FAILING], [PASSING])
    assert [step_in_a_line(step) for step in contrast.steps] == [
        "run-1 → run-2: broke 1 MUST rule (ARK-BUD-1), 1 case",
        "run-2 → run-3: fixed 1 MUST rule (ARK-BUD-1), 1 case",
    ]
    assert "nothing broke" in in_a_sentence(contrast)


def test_new_and_removed_cases_are_told() -> None:
    contrast = history([PASSING, OTHER], [PASSING], [PASSING, OTHER])
    said = [step_in_a_line(step) for step in contrast.steps]
    assert ["1 case removed" in said[0], "1 case added" in said[1]] == [True, True], said
    assert count_of_cases(contrast.steps[0]) == "Of 1 case, none changed. 1 case removed."


def test_the_versions_name_the_runs_of_a_history_if_they_differ() -> None:
    first, last = run([PASSING]), dict(run([PASSING]))
    last["client"] = {**_client(last), "version": "2"}
    assert [side.name for side in made(first, last).sides] == ["1", "2"]


def _client(saved: Mapping[str, Json]) -> Mapping[str, Json]:
    found = saved["client"]
    assert isinstance(found, Mapping)
    return found


def test_clients_are_told_by_the_rules_on_which_they_differ() -> None:
    contrast = clients([PASSING], [FAILING])
    assert in_a_sentence(contrast) == (
        "2 clients, judged by 1 rule: they differ on 1. MUST rules: client 1 breaks none and "
        "client 2 breaks 1."
    )
    assert [row.name for row in contrast.cases if row.differs] == ["budget.small"]


def test_of_many_clients_the_sentence_names_the_best_and_the_worst() -> None:
    said = in_a_sentence(clients([PASSING], [FAILING], [FAILING], [FAILING], [FAILING], [FAILING]))
    assert "client 1 breaks the fewest (0) and" in said
    assert "client 5 and 1 more break the most (1)" in said


def test_only_what_all_runs_have_is_compared_and_what_is_left_out_is_said() -> None:
    contrast = clients([PASSING, OTHER, result(Verdict.FAIL, profile="2026-07")], [PASSING])
    assert contrast.keys == (("budget.small", "2026-05"),)
    assert contrast.profiles == ("2026-05",)
    notes = " ".join(basis(contrast))
    assert "the 1 verdict common to all runs; left out: 2 of client 1" in notes
    assert "2026-07 is left out, because it was not judged for client 2" in notes


def test_a_rule_that_only_a_case_of_one_run_breaks_is_not_held_against_it() -> None:
    broken = evolve(FAILING, case=OTHER.case)
    contrast = clients([PASSING, broken], [PASSING])
    assert [contrast.broken(n) for n in (0, 1)] == [[], []]


def test_what_the_runs_do_not_have_in_common_is_said() -> None:
    other = Scope(version="1", digest="ab" * 32, chosen={"2026-05": 1}, total={"2026-05": 1})
    strict = evolve(other, strict=True)
    first = run([PASSING], name="a")
    second = run([PASSING], name="b", time=TimeMode.SCALED, scope=strict)
    assert list(basis(made(first, second))) == [
        "The specification versions differ: 2 for a; 1 for b.",
        "The sets of cases differ, so a case may have changed even if its id is the same.",
        "The kinds of time differ: virtual time for a; scaled time for b.",
        "The settings of --strict differ: off for a; on for b.",
    ]


def test_alike_runs_have_nothing_to_say_about_their_basis() -> None:
    assert list(basis(clients([PASSING], [FAILING]))) == []


def test_a_partial_run_is_said_to_be_partial() -> None:
    partial: Mapping[str, Json] = {
        "why": "w",
        "left": 1,
        "of": 2,
        "said": "partial: 1 of 2 cases were not played (w)",
    }
    (said,) = basis(made({**run([PASSING], name="a"), "partial": partial}, run([PASSING])))
    assert said == "a is partial: 1 of 2 cases were not played (w)."


def test_a_cell_names_profiles_only_where_they_came_out_differently() -> None:
    under = [result(Verdict.PASS, profile="2026-07"), FAILING]
    first, second = (evolve(each, case=two_profiles()) for each in under)
    (row,) = clients([first, second], [first, evolve(PASSING, case=two_profiles())]).rules
    assert [list(map(str, cell(row, n))) for n in (0, 1)] == [
        ["✗ broken (2026-05)", "✓ holds (2026-07)"],
        ["✓ holds"],
    ]


def test_a_profile_in_which_no_run_judged_a_rule_is_not_in_its_cells() -> None:
    other = result(Verdict.NOT_APPLICABLE, profile="2026-07")
    contrast = clients([PASSING, other, evolve(OTHER, profile="2026-07")], [FAILING, other])
    assert [set(each) for row in contrast.rules for each in row.cells] == [{"2026-05"}] * 2


def two_profiles() -> Case:
    return one('profiles = ["2026-05", "2026-07"]\nexpect.connects = 1\n')


def test_a_known_failure_and_a_failure_are_the_same_to_a_comparison() -> None:
    contrast = clients([FAILING], [result(Verdict.KNOWN_FAILURE)])
    assert [row.differs for row in contrast.rules] == [False]


@pytest.mark.parametrize("kind", [markdown, page])
def test_text_of_a_client_is_no_markup(kind: object) -> None:
    assert callable(kind)
    bad = result(Verdict.FAIL, said=HOSTILE)
    text = str(kind(made(run([bad], name=HOSTILE), run([PASSING], name="b"))))
    assert ("<script>alert" in text, "\x1b" in text, "\u202e" in text) == (False, False, False)


def test_the_markdown_has_the_sentence_the_verdicts_and_the_rules() -> None:
    text = markdown(clients([PASSING], [FAILING]))
    assert text.startswith("## 2 clients, judged by 1 rule: they differ on 1.")
    assert "| **ARK-BUD-1** MUST | ✓ holds | ✗ broken |" in text
    assert "<details><summary>Cases where the clients differ: 1 case</summary>" in text


def saved(folder: Path, *runs: Mapping[str, Json]) -> list[str]:
    paths = [folder / f"{n}.json" for n, _ in enumerate(runs, 1)]
    for path, each in zip(paths, runs, strict=True):
        path.write_text(as_json(each), "utf-8")
    return list(map(str, paths))


def compared(folder: Path, *results: Sequence[CaseResult], more: Sequence[str] = ()) -> Finished:
    return kit("compare", *saved(folder, *map(run, results)), *more)


def test_the_command_shows_the_short_form_and_writes_reports(tmp_path: Path) -> None:
    reports = [tmp_path / name for name in ("compare.html", "compare.md")]
    asked = [word for path in reports for word in ("--report", str(path))]
    done = compared(tmp_path, [PASSING], [FAILING], more=asked)
    assert done.status == 0, done
    assert done.out.startswith("probe, from 1 to 2: 1 MUST rule broke (ARK-BUD-1).")
    assert re.search(r"ARK-BUD-1 MUST +✓ holds +✗ broken", done.out), done.out
    assert [path.exists() for path in reports] == [True, True]


def test_the_short_form_fits_on_a_screen_however_much_differs(tmp_path: Path) -> None:
    head = 'id = "budget.n-{}"\nrequires = ["ARK-BUD-1"]\nwhy = "So."\n'
    cases = [one("expect.connects = 1\n", head=head.format(n)) for n in range(300)]
    runs = [[evolve(each, case=case) for case in cases] for each in (PASSING, FAILING)]
    lines = compared(tmp_path, *runs).out.splitlines()
    assert len(lines) < 24, lines


@pytest.mark.parametrize(
    ("results", "status"), [([[PASSING], [FAILING]], 1), ([[FAILING], [PASSING]], 0)]
)
def test_a_regression_is_status_1_if_that_is_asked_for(
    results: Sequence[Sequence[CaseResult]], status: int, tmp_path: Path
) -> None:
    assert compared(tmp_path, *results, more=["--fail-on-regression"]).status == status
    assert compared(tmp_path, *results).status == 0


def test_a_regression_of_several_clients_makes_no_sense(tmp_path: Path) -> None:
    paths = saved(tmp_path, run([PASSING], name="a"), run([PASSING], name="b"))
    done = kit("compare", *paths, "--fail-on-regression")
    assert (done.status, "these are runs of a, b" in done.err) == (2, True), done


def test_runs_with_nothing_in_common_are_status_4(tmp_path: Path) -> None:
    done = compared(tmp_path, [PASSING], [OTHER])
    assert (done.status, "nothing was compared" in done.err) == (4, True), done


def test_a_truncated_run_is_one_line(tmp_path: Path) -> None:
    first, second = saved(tmp_path, run([PASSING]), run([FAILING]))
    Path(second).write_text(json.dumps({"schema": "other"}))
    done = kit("compare", first, second)
    assert (done.status, len(done.err.splitlines())) == (3, 1), done
