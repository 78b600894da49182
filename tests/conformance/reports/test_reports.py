"""The report files are complete, safe with any text from a driver, and reproducible."""

import json
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from attrs import define, evolve, field

from conformance.generate.schemas import run_schema
from conformance.reports import check_reports, write_run
from conformance.reports.run_json.saved import load
from conformance.runner.stack import Sight, Stack
from conformance.strict_data import Json, ReadingError, Table
from conformance.trace.events import Noted, Trace
from conformance.verdict.statuses import Verdict
from conformance.verdict.time_modes import TimeMode, Unjudged
from mock_server.strict.schema import schema_text
from tests.conformance.commandline import kit
from tests.conformance.reports.sample_causes import played, resuming
from tests.conformance.sample_case import one
from tests.conformance.sample_run import COMMAND, hostile, result, run
from tests.json_schema import problem

FILES = ("badge.json", "junit.xml", "report.html", "run.json", "summary.md")
SMALL = ("--case", "create.start-opens-no-stream", "--profile", "2026-05")


@define
class Elements(HTMLParser):
    """Collects every element of a page, and the text of its scripts."""

    seen: list[tuple[str, dict[str, str | None]]] = field(
        factory=list[tuple[str, dict[str, str | None]]]
    )
    scripts: list[str] = field(factory=list[str])

    def __attrs_pre_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.seen.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep the text of a script."""
        if self.seen and self.seen[-1][0] == "script":
            self.scripts.append(data)


def written(data: Mapping[str, Json], directory: Path) -> dict[str, str]:
    write_run([directory], data)
    return {path.name: path.read_text("utf-8") for path in directory.iterdir()}


def elements(page: str) -> Elements:
    found = Elements()
    found.feed(page)
    return found


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_run_satisfies_its_schema(verdict: Verdict, tmp_path: Path) -> None:
    text = written(run([result(verdict)]), tmp_path)["run.json"]
    assert problem(schema_text(run_schema()), json.loads(text)) == ""


def test_a_directory_gets_every_report(tmp_path: Path) -> None:
    assert sorted(written(run([result(Verdict.PASS)]), tmp_path / "a" / "b")) == list(FILES)


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    first = written(run([result(Verdict.FAIL)]), tmp_path / "one")
    assert written(run([result(Verdict.FAIL)]), tmp_path / "two") == first


def test_a_saved_run_gives_the_same_reports_again(tmp_path: Path) -> None:
    first = written(hostile(), tmp_path / "one")
    assert written(load(tmp_path / "one" / "run.json"), tmp_path / "two") == first


@pytest.mark.parametrize("name", ["junit.xml", "summary.md", "report.html", "run.json"])
@pytest.mark.parametrize(
    "said", ["ARK-BUD-1", "A rule.", "1 request", "2 requests", "--case budget.small"]
)
def test_a_failure_names_rule_expected_actual_and_rerun(
    name: str, said: str, tmp_path: Path
) -> None:
    text = written(run([result(Verdict.FAIL)]), tmp_path)[name]
    assert said in text.replace("\\", "")


def test_the_rerun_command_is_quoted_for_a_shell(tmp_path: Path) -> None:
    text = written(run([result(Verdict.FAIL)]), tmp_path)["junit.xml"]
    assert f"-- {COMMAND[0]} '{COMMAND[1]}'" in text


def test_a_run_in_real_time_says_so_and_is_run_again_in_real_time(tmp_path: Path) -> None:
    text = written(run([result(Verdict.FAIL)], time=TimeMode.REAL), tmp_path)["run.json"]
    saved = json.loads(text)
    assert saved["time"] == {"mode": "real", "said": "real time"}
    assert " --time real -- node" in saved["results"][0]["rerun"]


def test_what_the_time_of_a_run_could_not_judge_is_told(tmp_path: Path) -> None:
    left = evolve(result(Verdict.PASS), unjudged=(Unjudged("sleeps", "only longer ones"),))
    data = run([left], time=TimeMode.SCALED)
    assert "only longer ones" in written(data, tmp_path)["report.html"]


def test_what_the_probe_found_is_kept(tmp_path: Path) -> None:
    sights = {"truncation.chunks": Sight.TOLD, "truncation.length": Sight.MISSED}
    data = run([result(Verdict.PASS)], stack=Stack(sights))
    first = written(data, tmp_path / "one")
    assert json.loads(first["run.json"])["stack"]["truncation.length"] == "taken for a clean end"
    assert written(load(tmp_path / "one" / "run.json"), tmp_path / "two") == first


@pytest.mark.parametrize("name", ["junit.xml", "summary.md", "report.html"])
def test_no_invisible_character_of_a_driver_reaches_a_report(name: str, tmp_path: Path) -> None:
    assert not re.search("[\x00\x1b\u202e\ufffe\ud800]", written(hostile(), tmp_path)[name])


def test_a_driver_can_add_no_element_to_the_page(tmp_path: Path) -> None:
    calm = elements(written(run([result(Verdict.FAIL)]), tmp_path / "calm")["report.html"])
    wild = elements(written(hostile(), tmp_path / "wild")["report.html"])
    assert [tag for tag, _ in wild.seen] == [tag for tag, _ in calm.seen]


def test_the_page_asks_for_nothing_outside_itself(tmp_path: Path) -> None:
    found = elements(written(run([result(Verdict.FAIL)]), tmp_path)["report.html"])
    assert [attrs for _, attrs in found.seen if "src" in attrs] == []
    assert {tag for tag, _ in found.seen} & {"link", "img", "iframe", "object", "base"} == set()


def test_the_data_of_the_page_survives_a_hostile_driver(tmp_path: Path) -> None:
    found = elements(written(hostile(), tmp_path)["report.html"])
    assert "\\u202e" in json.loads(found.scripts[0])["client"]["implementation"]


def test_junit_is_xml_whatever_the_driver_says(tmp_path: Path) -> None:
    root = ET.fromstring(written(hostile(), tmp_path)["junit.xml"])  # noqa: S314 - our own file
    assert [len(root.findall(f".//{tag}")) for tag in ("failure", "error")] == [1, 1]


def test_junit_counts_what_it_holds(tmp_path: Path) -> None:
    verdicts = [Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.NOT_APPLICABLE, Verdict.WARN]
    text = written(run([result(verdict) for verdict in verdicts]), tmp_path)["junit.xml"]
    suite = ET.fromstring(text).find("testsuite")  # noqa: S314 - our own file
    assert suite is not None
    assert [suite.get(key) for key in ("tests", "failures", "errors", "skipped")] == list("5111")


def test_markdown_holds_no_markup_of_a_driver(tmp_path: Path) -> None:
    text = written(hostile(), tmp_path)["summary.md"]
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", text, flags=re.DOTALL)
    assert "<script" not in outside.replace("\\<", "")
    assert "*b*" not in outside.replace("\\*", "")


@pytest.mark.parametrize(
    ("verdicts", "message", "colour"),
    [
        ([Verdict.PASS], "conforms to 2026-05", "brightgreen"),
        ([Verdict.FAIL], "does not conform to 2026-05", "red"),
        (
            [Verdict.KNOWN_FAILURE],
            "2026-05: conforms except for 1 known failure: no case passed",
            "yellow",
        ),
        ([Verdict.NOT_APPLICABLE], "not judged", "lightgrey"),
    ],
)
def test_the_badge_is_an_endpoint_of_shields(
    verdicts: list[Verdict], message: str, colour: str, tmp_path: Path
) -> None:
    text = written(run([result(verdict) for verdict in verdicts]), tmp_path)["badge.json"]
    label = "arkor 2 (0f0f0f0f)"
    expected = {"schemaVersion": 1, "label": label, "message": message, "color": colour}
    assert json.loads(text) == expected


@pytest.mark.parametrize("name", FILES)
def test_no_secret_of_a_case_stands_in_a_report(name: str, tmp_path: Path) -> None:
    secret = one('config.token = "s3cret-4711"\nexpect.connects = 1\n')
    told = evolve(result(Verdict.FAIL, said="oh s3cret-4711"), case=secret, reason="s3cret-4711")
    assert "s3cret-4711" not in written(run([told]), tmp_path)[name]


def test_a_secret_that_a_line_cuts_in_two_is_hidden_as_well(tmp_path: Path) -> None:
    secret = one('config.token = "s3cret-4711"\nexpect.connects = 1\n')
    trace = Trace()
    trace.append(Noted("driver", "x" * 152 + "s3cret-4711"), 0.0)
    told = evolve(result(Verdict.PASS), case=secret, trace=trace)
    assert "s3cret" not in written(run([told]), tmp_path)["run.json"]


def test_a_trace_without_end_is_cut_and_says_so(tmp_path: Path) -> None:
    trace = Trace()
    for _ in range(5000):
        trace.append(Noted("driver", "x" * 5000), 0.0)
    data = run([evolve(result(Verdict.PASS), trace=trace)])
    kept = Table("run", data).tables("results")[0]
    assert kept.count("omitted") + len(kept.items("trace")) == 5000
    assert len(written(data, tmp_path)["run.json"]) < 200_000


def test_a_long_trace_keeps_the_step_at_which_the_client_leaves_the_reference() -> None:
    noise = [Noted("driver", "hum")] * 300
    client, reference = (
        played("resume.one", Verdict.FAIL, [*noise, *resuming(cursor), *noise])
        for cursor in (None, "1")
    )
    (told,) = Table("run", run([client], references={client.name: reference})).tables("results")
    begins = told.table("begins")
    sides = {"client": told, "reference": told.table("reference")}
    for side, whose in sides.items():
        numbers = [entry[0] for entry in whose.items("trace") if isinstance(entry, list)]
        assert begins.table(side).raw("event") in numbers
        assert begins.table(side).count("event") > 300
        assert whose.count("omitted") > 100


def test_an_event_of_many_traces_stands_in_the_run_once() -> None:
    data = Table("run", run([result(Verdict.PASS)] * 100))
    assert len(data.items("events")) == 5
    assert len(data.tables("results")[99].items("trace")) == 5


@pytest.mark.parametrize("name", ["run.json", "report.html"])
def test_two_thousand_failures_stay_below_four_megabytes(name: str, tmp_path: Path) -> None:
    assert len(written(run([result(Verdict.FAIL)] * 2000), tmp_path)[name]) < 4_000_000


@pytest.mark.parametrize("name", ["run.json", "report.html"])
def test_the_whole_catalogue_passed_stays_below_three_megabytes(name: str, tmp_path: Path) -> None:
    long = Trace()
    for n in range(30):
        long.append(Noted("driver", f"said {n}"), n / 7)
    passed = [evolve(result(Verdict.PASS), trace=long)] * 2100
    assert len(written(run(passed), tmp_path)[name]) < 3_000_000


def test_every_mistake_of_a_saved_run_is_told_with_its_line(tmp_path: Path) -> None:
    text = written(run([result(Verdict.PASS)]), tmp_path)["run.json"]
    text = text.replace('"strict": false', '"strict": 0').replace(
        '"endless":false', '"endles":false'
    )
    (tmp_path / "run.json").write_text(text, "utf-8")
    with pytest.raises(ReadingError) as raised:
        load(tmp_path / "run.json")
    line = text[: text.index('"endles":')].count("\n") + 1
    assert [each.removeprefix(f"{tmp_path}/") for each in raised.value.mistakes] == [
        "run.json: strict: 0 (integer) is not true or false (line 8)",
        f"run.json: results 1: 'endless' is missing (line {line})",
        f"run.json: results 1: 'endles' is unknown; did you mean 'endless'? (line {line})",
    ]


@pytest.mark.parametrize("entry", ["[1, 0.5, 5]", "[1, 0.5, -1]", "[1, 0.5]", '["1", 0.5, 0]'])
def test_a_saved_trace_that_names_no_event_is_refused(entry: str, tmp_path: Path) -> None:
    text = written(run([result(Verdict.PASS)]), tmp_path)["run.json"]
    (tmp_path / "run.json").write_text(text.replace("[1,0.0,0]", entry), "utf-8")
    with pytest.raises(ReadingError, match=r"run.json: results 1.trace 1: .* is .* \(line \d+\)"):
        load(tmp_path / "run.json")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "JSON: must be an object"),
        ("{", "JSON: "),
        ('{"schema": "other/9"}', "not 'arkor-conformance-run/2'"),
        ('{"schema": "arkor-conformance-run/2"}', "'kit' is missing"),
    ],
)
def test_a_file_that_is_no_run_is_refused_with_a_reason(
    text: str, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    file.write_text(text, "utf-8")
    with pytest.raises(ReadingError, match=re.escape(reason)):
        load(file)


def test_a_name_that_asks_for_no_report_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match=r"unknown kind of report"):
        check_reports([tmp_path / "report.pdf"])


def test_a_run_writes_its_reports_and_a_saved_run_makes_them_again(tmp_path: Path) -> None:
    done = kit("run", *SMALL, "--report", str(tmp_path / "one"))
    again = kit("report", str(tmp_path / "one" / "run.json"), "--report", str(tmp_path / "two"))
    assert (done.status, again.status) == (0, 0), (done, again)
    one_, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert (sorted(one_), one_) == (list(FILES), two)
