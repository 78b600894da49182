"""What a verdict claims, how rules are counted, and that all reports agree about it."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve

from conformance.casefile.requirements import Level
from conformance.commands.run_command import status_of
from conformance.reports.badge import badge
from conformance.reports.junit import junit
from conformance.reports.markdown import markdown
from conformance.reports.page import page
from conformance.reports.screen import Screen
from conformance.reports.terminal import Report
from conformance.runner.run import Outcome
from conformance.strict_data import Json, Table
from conformance.trace.events import Called, Failure, Settled, Trace
from conformance.verdict.result import CaseResult, Finding, verdict_of
from conformance.verdict.scope import Scope
from conformance.verdict.statuses import Exit, Verdict
from conformance.verdict.time_modes import TimeMode, Unjudged
from tests.conformance.sample_case import RULES, one
from tests.conformance.sample_run import COMMAND, WHOLE, case, identity, recorded, result, run

SURFACE: Final = ("cancel", "abort", "concurrent", "callbacks.async", "config.backoff")
PROFILE: Final = "2026-05"


def first(found: Mapping[str, Json]) -> Table:
    return Table("run", found).tables("profiles")[0]


def words(found: Mapping[str, Json]) -> tuple[str, str]:
    return first(found).text("rank"), first(found).text("verdict")


def about(*needs: str, name: str = "budget.other", verdict: Verdict = Verdict.PASS) -> CaseResult:
    """Return a result of a case that needs some capabilities."""
    listed = ", ".join(f'"{need}"' for need in needs)
    head = f'id = "{name}"\nrequires = ["ARK-BUD-1"]\nwhy = "So."\nneeds = [{listed}]\n'
    body = 'step = [{ do = "start" }, { do = "wait" }]\nexpect.connects = 1\n'
    lacking = needs if verdict is Verdict.NOT_APPLICABLE else ()
    return evolve(result(verdict), case=one(body, head=head), lacking=lacking)


def scope(chosen: int, total: int, files: tuple[str, ...] = ()) -> Scope:
    return Scope(
        version="2", digest="0f" * 32, chosen={PROFILE: chosen}, total={PROFILE: total}, files=files
    )


def refused(operation: str, kind: str) -> Trace:
    trace = Trace()
    trace.append(Called("open"), 0.0)
    if operation != "open":
        trace.append(Settled("open", {}, None), 0.0)
    trace.append(Called(operation), 0.0)
    trace.append(Settled(operation, {}, Failure(kind, None, "no model of this name")), 0.0)
    return trace


def missed(rule: str) -> Finding:
    """Return the finding that the client did not get as far as the case's rule, because of `rule`."""
    return Finding(
        assertion="reached stream#2.requested",
        requires=(rule,),
        expected="stream#2.requested",
        actual="it never came",
        event=None,
        not_reached=True,
    )


def test_the_whole_surface_conforms_plainly() -> None:
    assert words(run([result(Verdict.PASS)])) == ("conforms", "conforms")


@pytest.mark.parametrize("part", SURFACE)
def test_a_part_that_was_not_declared_is_named(part: str) -> None:
    rest = [each for each in SURFACE if each != part]
    found = run([about(*rest), about(part, verdict=Verdict.NOT_APPLICABLE)], capabilities=rest)
    holds = ", ".join(["start", "wait", *rest])
    assert words(found) == ("conforms in part", f"conforms for: {holds} (no {part})")


def test_a_part_that_was_declared_and_never_judged_is_named() -> None:
    found = run([about(*SURFACE[1:])])
    assert words(found)[1].endswith("(cancel not judged)")


def test_a_part_that_is_only_known_to_fail_does_not_hold() -> None:
    known = about("cancel", verdict=Verdict.KNOWN_FAILURE)
    said = words(run([about(*SURFACE[1:]), known]))[1]
    holds = ", ".join(["start", "wait", *SURFACE[1:]])
    assert said == f"conforms for: {holds} (cancel known to fail) except for 1 known failure"


def test_an_error_of_the_kit_says_in_junit_what_was_missed() -> None:
    found = junit(run([evolve(result(Verdict.ERROR), findings=(missed("ARK-BUD-2"),))]))
    assert 'error message="reached stream#2.requested: expected stream#2.requested' in found


def test_a_case_that_could_not_be_opened_makes_the_claim_smaller() -> None:
    closed = evolve(result(Verdict.NOT_APPLICABLE), trace=refused("open", "other"))
    assert words(run([result(Verdict.PASS), closed]))[1].endswith("(open refused in 1 case)")


def advised(verdict: Verdict, body: str) -> CaseResult:
    """Return a result about a rule that is a SHOULD."""
    head = 'id = "budget.advised"\nrequires = ["ARK-BUD-2"]\nwhy = "So."\n'
    return evolve(result(verdict), case=one(body, head=head))


ADVICE: Final = {**RULES, "ARK-BUD-2": evolve(RULES["ARK-BUD-2"], level=Level.SHOULD)}
STARTS: Final = 'step = [{ do = "start" }]\nexpect.connects = 1\n'


def test_a_driver_that_opens_no_case_about_a_must_gets_no_verdict() -> None:
    closed = evolve(result(Verdict.NOT_APPLICABLE), trace=refused("open", "other"))
    found = run([closed, advised(Verdict.PASS, WHOLE)], rules=ADVICE)
    assert words(found) == ("nothing ran", "nothing ran that judges a MUST rule")
    outcome = Outcome(identity=identity(), results=[advised(Verdict.PASS, WHOLE)], seconds=1.0)
    assert status_of(outcome, found, ()) is Exit.NOTHING_RAN
    assert status_of(outcome, run([result(Verdict.PASS)]), ()) is Exit.OK


def test_an_operation_of_which_no_must_was_judged_is_not_claimed() -> None:
    waits = 'step = [{ do = "wait" }]\nexpect.connects = 1\n'
    passed = evolve(result(Verdict.PASS), case=case(waits))
    closed = evolve(result(Verdict.NOT_APPLICABLE), case=case(STARTS), trace=refused("open", "x"))
    _, said = words(run([passed, closed, advised(Verdict.PASS, STARTS)], rules=ADVICE))
    assert said.startswith("conforms for: wait (start not judged, "), said


def test_a_selection_without_a_must_is_judged_by_what_it_is_about() -> None:
    found = run([advised(Verdict.PASS, WHOLE)], scope=scope(1, 10), rules=ADVICE)
    assert words(found) == ("conforms in part", "conforms in the cases chosen (1/10)")


def test_an_operation_that_is_not_supported_makes_the_claim_smaller() -> None:
    without = evolve(result(Verdict.NOT_APPLICABLE), trace=refused("cancel#2", "unsupported"))
    assert words(run([result(Verdict.PASS), without]))[1].endswith("(cancel refused in 1 case)")


def test_an_error_of_an_operation_that_is_not_a_refusal_does_not() -> None:
    odd = evolve(result(Verdict.PASS), trace=refused("cancel", "http"))
    assert words(run([odd])) == ("conforms", "conforms")


@pytest.mark.parametrize("assertion", ["conduct.answer wait", "conduct.end"])
def test_a_case_that_came_to_no_end_makes_the_claim_smaller(assertion: str) -> None:
    hung = evolve(result(Verdict.WARN).findings[0], assertion=assertion)
    found = run([result(Verdict.PASS), evolve(result(Verdict.WARN), findings=(hung,))])
    assert words(found)[1].endswith("(1 case ended early)")


def test_a_case_that_was_not_reached_makes_the_claim_smaller() -> None:
    short = evolve(result(Verdict.WARN), findings=(missed("ARK-BUD-2"),))
    found = run([result(Verdict.PASS), short])
    assert words(found)[1].endswith("(1 case ended early)")


def test_a_driver_that_never_answers_fails_whatever_the_source_of_the_rule_is() -> None:
    hung = evolve(
        result(Verdict.FAIL).findings[0], assertion="conduct.answer wait", requires=("ARK-ERR-10",)
    )
    assert verdict_of([hung], lambda _: False) is Verdict.FAIL


def test_a_driver_that_dies_fails_whatever_the_source_of_the_rule_is() -> None:
    died = evolve(result(Verdict.FAIL).findings[0], assertion="driver")
    assert verdict_of([died], lambda _: False) is Verdict.FAIL


def test_instruments_that_are_missing_are_said_and_make_no_claim_smaller() -> None:
    left = evolve(result(Verdict.PASS), unjudged=(Unjudged("sleeps", "lateness"),) * 2)
    found = run([left, about("rng", verdict=Verdict.NOT_APPLICABLE)], time=TimeMode.SCALED)
    remark = "in scaled time: 2 expectations not fully judged"
    assert (words(found)[0], first(found).texts("remarks")) == ("conforms", (remark,))
    assert remark in json.loads(badge(found))["message"]


def test_a_selection_names_itself_and_is_no_green_badge() -> None:
    found = run([result(Verdict.PASS)], scope=scope(1, 706))
    assert words(found)[1] == "conforms in the cases chosen (1/706)"
    assert json.loads(badge(found))["color"] == "yellow"


def test_a_file_names_itself() -> None:
    found = run([result(Verdict.PASS)], scope=scope(1, 1, ("mine.toml",)))
    assert words(found)[1] == "conforms in the 1 case of mine.toml"


def test_a_run_that_stopped_early_is_not_judged_in_full() -> None:
    found = run([result(Verdict.PASS)], scope=scope(10, 10))
    assert words(found) == (
        "not judged in full",
        "not judged in full: 9 of 10 cases were not played",
    )


def test_a_failing_run_that_stopped_early_says_both() -> None:
    found = run([result(Verdict.FAIL)], scope=scope(10, 10))
    said = "does not conform; not judged in full: 9 of 10 cases were not played"
    assert words(found) == ("does not conform", said)


def test_a_profile_of_which_nothing_was_played_is_not_left_out() -> None:
    planned = {PROFILE: 1, "2026-07": 4}
    part = Scope(version="2", digest="0f", chosen=planned, total=planned)
    found = Table("run", run([result(Verdict.PASS)], scope=part)).tables("profiles")
    assert [each.text("rank") for each in found] == ["conforms", "not judged in full"]


def test_rules_are_counted_and_the_cases_beside_them() -> None:
    found = run([result(Verdict.FAIL), about(*SURFACE, verdict=Verdict.FAIL)])
    musts = first(found).table("MUST")
    assert (musts.texts("broken"), musts.count("cases")) == (("ARK-BUD-1",), 2)
    assert "1 rule broken (2 cases)" in markdown(found).replace("\\", "")


def test_broken_rules_are_counted_by_source() -> None:
    assert first(run([result(Verdict.FAIL)])).table("sources").values == {
        "published": 1,
        "interface": 0,
        "standard": 0,
        "proposal": 0,
    }


def test_a_rule_whose_only_case_was_not_reached_is_not_judged() -> None:
    broken = evolve(result(Verdict.INCONCLUSIVE), findings=(missed("ARK-BUD-2"),))
    profile = first(run([broken]))
    assert profile.table("rules").values == {
        "ARK-BUD-1": "not judged",
        "ARK-BUD-2": "broken",
    }
    missed_ = profile.table("not_reached")
    assert (missed_.count("cases"), missed_.table("because").values) == (1, {"ARK-BUD-2": 1})


def test_a_rule_whose_only_case_was_not_played_is_not_judged() -> None:
    profile = first(run([about("cancel", verdict=Verdict.NOT_APPLICABLE)], capabilities=()))
    assert profile.table("rules").values == {"ARK-BUD-1": "not judged"}
    assert profile.table("MUST").count("hold") == 0


def test_a_case_that_its_driver_did_not_survive_says_nothing_about_its_rule() -> None:
    died = Finding(assertion="driver", requires=(), expected="", actual="died", event=None)
    profile = first(run([evolve(result(Verdict.FAIL), findings=(died,))]))
    assert profile.table("rules").values == {"ARK-BUD-1": "not judged"}
    assert profile.count("unruled") == 1


def proposal() -> dict[str, Json]:
    """Return the run of a client that breaks a proposal and nothing else."""
    rules = {
        **RULES,
        "ARK-BUD-1": evolve(
            RULES["ARK-BUD-1"], source=evolve(RULES["ARK-BUD-1"].source, kind=KIND)
        ),
    }
    outcome = Outcome(identity=identity(), results=[result(Verdict.WARN)], seconds=1.0)
    return dict(recorded(outcome, rules, COMMAND, scope(1, 1)))


KIND: Final = type(RULES["ARK-BUD-1"].source.kind)("proposal")


def test_a_proposal_is_shown_apart_and_breaks_no_must() -> None:
    profile = first(proposal())
    assert profile.table("MUST").texts("broken") == ()
    assert profile.table("apart").values == {"broken": ["ARK-BUD-1"], "cases": 1}
    assert "1 of them counts only with --strict (1 case)" in markdown(proposal()).replace("\\", "")


def test_a_warning_is_a_should() -> None:
    rules = {**RULES, "ARK-BUD-1": evolve(RULES["ARK-BUD-1"], level=Level.SHOULD)}
    outcome = Outcome(identity=identity(), results=[result(Verdict.WARN)], seconds=1.0)
    profile = first(recorded(outcome, rules, COMMAND, scope(1, 1)))
    assert profile.table("SHOULD").texts("broken") == ("ARK-BUD-1",)


def test_what_did_not_apply_is_grouped_with_its_rules_in_every_report() -> None:
    lacking = about("cancel", verdict=Verdict.NOT_APPLICABLE)
    found = run([lacking, about("cancel", name="budget.third", verdict=Verdict.NOT_APPLICABLE)])
    said = "2 cases n/a, 1 MUST rule not judged at all: the driver does not declare cancel"
    assert [said in text for text in (*texts(found).values(),)] == [True] * 4


def texts(found: Mapping[str, Json]) -> dict[str, str]:
    """Return the text of a run in each report, on one line and without markup."""
    output = io.StringIO()
    Report(Screen(file=output, width=400, highlight=False)).print(found)
    data = re.search(r'type="application/json" id="run">(.*?)</script>', page(found), re.DOTALL)
    assert data is not None
    properties = ET.fromstring(junit(found)).iter()  # noqa: S314 - our own file
    values = [each.get("value") or each.get("message") or "" for each in properties]
    return {
        "terminal": output.getvalue(),
        "markdown": markdown(found).replace("\\", ""),
        "junit": "\n".join(values),
        "html": "\n".join(strings(json.loads(data[1]))),
    }


def strings(value: Json) -> list[str]:
    match value:
        case str():
            return [value]
        case Mapping():
            return [text for item in value.values() for text in strings(item)]
        case Sequence():
            return [text for item in value for text in strings(item)]
        case _:
            return []


PARTIAL: Final = evolve(
    Outcome(identity=identity(), results=[result(Verdict.PASS)], seconds=1.0),
    stopped="6 templates hung",
    left=9,
    total=10,
)
RUNS: Final[Mapping[str, Mapping[str, Json]]] = {
    "plain": run([result(Verdict.PASS)]),
    "failing": run([result(Verdict.FAIL)]),
    "part": run([about("abort")], capabilities=["abort"]),
    "known": run([result(Verdict.KNOWN_FAILURE)]),
    "selection": run([result(Verdict.PASS)], scope=scope(1, 706)),
    "partial": recorded(PARTIAL, RULES, COMMAND, scope(10, 10)),
    "partial-failing": recorded(
        evolve(PARTIAL, results=[result(Verdict.FAIL)]), RULES, COMMAND, scope(10, 10)
    ),
}


@pytest.mark.parametrize("name", RUNS)
def test_every_report_says_the_same_about_the_claim(name: str) -> None:
    found = RUNS[name]
    verdict = first(found).text("verdict")
    seen = {report: verdict.lower() in text.lower() for report, text in texts(found).items()}
    assert seen == dict.fromkeys(seen, True), texts(found)
    assert verdict in json.loads(badge(found))["message"]


@pytest.mark.parametrize("name", [name for name in RUNS if name.startswith("partial")])
def test_every_report_says_what_was_not_played_and_why(name: str) -> None:
    said = "partial: 9 of 10 cases were not played (6 templates hung)"
    assert [said in text for text in texts(RUNS[name]).values()] == [True] * 4
    message = json.loads(badge(RUNS[name]))["message"]
    assert "9 of 10 cases were not played (6 templates hung)" in message


@pytest.mark.parametrize("name", RUNS)
def test_only_a_plain_verdict_is_green(name: str) -> None:
    assert (json.loads(badge(RUNS[name]))["color"] == "brightgreen") == (name == "plain")


def test_every_report_has_the_version_of_the_specification_and_the_hash_of_the_cases() -> None:
    found = RUNS["plain"]
    for text in texts(found).values():
        assert "0f0f0f0f" in text
    assert json.loads(badge(found))["label"] == "arkor 2 (0f0f0f0f)"
    assert Table("run", found).table("specification").text("cases") == "0f" * 32


def test_a_case_stands_for_the_surface_here() -> None:
    assert set(case().needs) == set(SURFACE)
