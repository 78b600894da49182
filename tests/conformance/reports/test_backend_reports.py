"""Every report of a run about a backend speaks of the backend, and none shows a token."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from conformance.generate.schemas import run_schema
from conformance.reports import write_run
from conformance.reports.comparison.contrast import Contrast
from conformance.reports.comparison.sentences import in_a_sentence as compared
from conformance.reports.comparison.sides import sides_of
from conformance.reports.digest import causes, decisive
from conformance.reports.published import addresses
from conformance.reports.run_json.saved import as_json
from conformance.reports.screen import Screen
from conformance.reports.summary import in_a_sentence, left_out
from conformance.reports.terminal import Report
from conformance.strict_data import Json, Table
from conformance.trace.describe import COMMENT
from conformance.trace.events import Ended, Framed
from conformance.verdict.statuses import Verdict
from mock_server.strict.schema import schema_text
from tests.conformance.commandline import kit
from tests.conformance.reports.sample_backend import (
    BROKEN,
    FORGOTTEN,
    GAP,
    GAP_TOO,
    PASSING,
    SLASH,
    TOKEN,
    URL,
    backend_run,
    failing,
    lacking,
    passing,
)
from tests.conformance.sample_run import result, run
from tests.json_schema import problem


def sentences(data: Mapping[str, Json]) -> list[str]:
    return [each.sentence for each in causes(Table("run", data))]


def printed(data: Mapping[str, Json], capsys: pytest.CaptureFixture[str]) -> str:
    Report(Screen(width=200)).print(data)
    return capsys.readouterr().out


def groups(data: Mapping[str, Json]) -> list[tuple[str, str]]:
    found = Table("run", data).tables("not_applicable")
    return [(each.text("name"), left_out(each)) for each in found]


def saved(folder: Path, name: str, data: Mapping[str, Json]) -> str:
    path = folder / name
    path.write_text(as_json(data), "utf-8")
    return str(path)


def test_a_cause_is_the_rule_the_first_case_that_breaks_it_and_how_many_more_do() -> None:
    assert sentences(backend_run(BROKEN)) == [
        (
            f"The backend breaks ARK-SRV-33 in {GAP}: expected every event after '1'; got '3' came "
            "without '2'. 1 more case breaks it too."
        ),
        (
            f"Warning: the backend breaks ARK-SRV-58 in {SLASH}: expected 404; got 200: the job was "
            "cancelled."
        ),
    ]


def test_a_cause_of_three_cases_counts_two_more() -> None:
    rule = ("ARK-SRV-33", "1", "2")
    data = backend_run([failing(case, *rule) for case in (GAP, GAP_TOO, "resume.over-a-restart")])
    assert sentences(data)[0].endswith("2 more cases break it too.")


def test_a_case_that_did_not_reach_its_rule_comes_after_one_that_did() -> None:
    early = failing(
        GAP,
        "ARK-SRV-17",
        "to reach the rule",
        "the response to the stream request (404) was not an event stream",
        reached=False,
    )
    direct = failing("stream.status-of-a-resume", "ARK-SRV-17", "200", "404")
    (alone,) = sentences(backend_run([early]))
    assert alone == (
        f"The backend breaks ARK-SRV-17, so {GAP} could not judge its own rule: the response "
        "to the stream request (404) was not an event stream."
    )
    (both,) = sentences(backend_run([early, direct]))
    assert both.startswith(
        "The backend breaks ARK-SRV-17 in stream.status-of-a-resume: expected 200"
    )


def test_what_a_control_program_lacks_is_grouped_by_its_words() -> None:
    held = lacking("resume.hand-off-held", "hold", "forget")
    assert groups(backend_run([passing(), lacking(FORGOTTEN, "forget"), held])) == [
        (
            "forget",
            "2 cases n/a, 2 MUST rules not judged at all: the control program does not declare `forget`",
        ),
        (
            "hold",
            "1 case n/a, 1 MUST rule not judged at all: the control program does not declare `hold`",
        ),
    ]


def test_without_a_control_program_there_is_one_group_for_all_that_need_one() -> None:
    needing = [lacking(FORGOTTEN, "job", "emit", "forget"), lacking(SLASH, "job")]
    data = backend_run([passing(), *needing], implementation="", version="", words=frozenset())
    ((name, said),) = groups(data)
    assert name == "control program"
    assert said.startswith("2 cases n/a")
    assert "(--control)" in said


def test_a_case_counts_once_for_all_profiles() -> None:
    assert in_a_sentence(Table("run", backend_run(BROKEN))) == (
        "probe 1 does not conform to 2026-05, 2026-07 and hardened. It passed 1 of 4 cases over real "
        "sockets (1.5 s)."
    )


def test_a_backend_without_a_name_is_called_by_its_address() -> None:
    data = backend_run([passing()], implementation="", version="", words=frozenset())
    assert in_a_sentence(Table("run", data)).startswith(f"The backend at {URL} passed 1 case")


def test_no_report_speaks_of_a_client_or_a_driver_or_shows_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = backend_run(BROKEN, notes=["a note"], left=["curl -X POST …"])
    write_run([tmp_path], data)
    texts = {
        each: (tmp_path / each).read_text("utf-8")
        for each in ("summary.md", "junit.xml", "badge.json")
    }
    texts["terminal"] = printed(data, capsys)
    # The rules and the reasons of the cases are about clients, rightly.
    own = [str(rule[key]) for rule in requirements(data) for key in ("text", "why")]
    own += [each.case.why for each in BROKEN]
    for name, text in texts.items():
        plain = text.replace("\\", "").replace("&quot;", '"').replace("&apos;", "'")
        for said in own:
            plain = plain.replace(said, "")
        assert ("driver" in plain, TOKEN in text) == (False, False), name
    for text in (*texts.values(), (tmp_path / "report.html").read_text("utf-8")):
        assert TOKEN not in text
    assert '"who":"client"' not in (tmp_path / "run.json").read_text("utf-8")
    assert json.loads(texts["badge.json"])["label"].startswith("arkor backend 2 (")


def requirements(data: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    rules = Table("run", data).table("requirements")
    return [rules.table(each).values for each in rules.values]


def test_what_is_left_running_is_said_in_every_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = backend_run(
        [passing()], left=["curl -X POST http://127.0.0.1:8077/v1/jobs/job-1/cancel"]
    )
    write_run([tmp_path], data)
    for name in ("summary.md", "junit.xml", "report.html", "run.json"):
        assert "could not cancel" in (tmp_path / name).read_text("utf-8"), name
    assert "/v1/jobs/job-1/cancel" in printed(data, capsys)


def test_a_finding_that_is_about_the_one_rule_does_not_name_it_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(backend_run(BROKEN), capsys)
    assert text.count("ARK-SRV-58") == text.count("Warning: the backend breaks ARK-SRV-58") + 1


def test_the_lines_of_a_trace_end_where_the_kit_leaves_its_streams() -> None:
    played = failing(GAP, "ARK-SRV-33", "1", "2")
    played.trace.append(Framed("stream", 1, 3, None, COMMENT, b":"), 0.003)
    played.trace.append(Ended("stream", 1, "closed by the kit", "client"), 0.004)
    top = Table("run", backend_run([played]))
    lines = [each.text for each in decisive(top.tables("results")[0], top)]
    assert lines[-1] == "   4  backend      stream#1  frame 3  (comment)"


def test_a_summary_links_the_rules_of_backends(tmp_path: Path) -> None:
    write_run([tmp_path / "summary.md"], backend_run(BROKEN))
    text = (tmp_path / "summary.md").read_text("utf-8")
    assert f"[**ARK-SRV-33**]({addresses()['ARK-SRV-33']})" in text


def test_the_run_is_as_its_schema_says() -> None:
    data = json.loads(as_json(backend_run(BROKEN)))
    assert problem(schema_text(run_schema()), data) == ""
    assert data["backend"] == {
        "address": URL,
        "org": "acme",
        "project": "llm",
        "followed": "",
        "jobs": 2,
    }
    assert data["bounds"]["silence_ms"] == 45_000


def test_reports_of_a_saved_run_are_made_again(tmp_path: Path) -> None:
    data = backend_run(BROKEN)
    write_run([tmp_path / "report.html"], data)
    path = saved(tmp_path, "run.json", data)
    done = kit("report", path, "--report", str(tmp_path / "again.html"))
    assert (done.status, done.out) == (0, f"wrote {tmp_path / 'again.html'}\n")
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "report.html").read_bytes()


def test_two_versions_of_a_backend_are_its_history(tmp_path: Path) -> None:
    before = saved(tmp_path, "before.json", backend_run(BROKEN, version="1"))
    after = saved(tmp_path, "after.json", backend_run([passing(GAP), *BROKEN[2:]], version="2"))
    report = tmp_path / "compare.html"
    done = kit("compare", before, after, "--report", str(report), "--fail-on-regression")
    assert done.status == 0
    assert done.out.startswith("probe, from 1 to 2: ")
    assert "history of one backend" in report.read_text("utf-8")


def test_two_backends_are_put_side_by_side() -> None:
    runs = (backend_run(BROKEN), backend_run(BROKEN[:1], implementation="other"))
    both = Contrast(sides_of([(Path(f"{n}.json"), each) for n, each in enumerate(runs)]))
    assert compared(both).startswith("2 backends, judged by ")


def test_a_backend_is_not_compared_with_a_client(tmp_path: Path) -> None:
    ours = saved(tmp_path, "backend.json", backend_run(BROKEN))
    theirs = saved(tmp_path, "client.json", run([result(Verdict.PASS)]))
    done = kit("compare", ours, theirs)
    assert (done.status, done.out) == (2, "")
    assert f"{theirs}: judges a client, but {ours} judges a backend" in done.err


def test_runs_about_backends_are_not_merged(tmp_path: Path) -> None:
    path = saved(tmp_path, "run.json", backend_run(BROKEN))
    done = kit("report", "merge", path)
    assert (done.status, done.out) == (3, "")
    assert "is a run against a backend; only a run against a client can be split" in done.err


def test_what_passes_needs_no_cause(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(backend_run([passing(PASSING)]), capsys)
    assert "breaks" not in text
