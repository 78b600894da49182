"""`arkor-conformance parser` as a user runs it: our own parser, and broken ones."""

import json
import sys
from pathlib import Path

import pytest

from conformance.parser import protocol
from conformance.parser.cuts import cut
from conformance.parser.streams import load_streams
from conformance.strict_data import Json, parse_json
from tests.conformance.commandline import ROOT, kit
from tests.forked import Finished
from tests.json_schema import problem

SCHEMA = (ROOT / "spec" / "schemas" / "parse.schema.json").read_text("utf-8")
FEW = ("--chunkings", "3")
BROKEN = (sys.executable, "-P", "-m", "tests.conformance.parser.broken_parser")


def judge(mistake: str, *arguments: str) -> Finished:
    return kit("parser", *FEW, *arguments, "--", *BROKEN, mistake)


def test_our_own_parser_conforms() -> None:
    done = kit("parser", *FEW)
    assert done.status == 0, done.out
    assert "arkor-proto (EventStreamParser) 0.1.0 conforms." in done.out
    assert f"{len(load_streams())} streams, split in" in done.out
    assert "To judge your own parser: arkor-conformance parser --" in done.out


@pytest.mark.parametrize(
    ("mistake", "stream", "rule"),
    [
        ("by-chunk", "W20", "FAIL ARK-SSE-7"),
        ("at-the-end", "S02", "FAIL ARK-SSE-16"),
        ("without-bom", "W01", "FAIL ARK-SSE-2"),
        ("unbounded", "B02", "FAIL ARK-SEC-5"),
        ("crashes", "W21", "FAIL ARK-SSE-10"),
    ],
)
def test_a_broken_parser_is_caught_by_the_rule_that_it_breaks(
    mistake: str, stream: str, rule: str
) -> None:
    strict = ("--strict",) if rule.endswith("SEC-5") else ()
    done = judge(mistake, "--stream", stream, *strict)
    assert done.status == 1, done.out
    assert f"{rule} MUST" in done.out
    assert f"does not conform: it breaks {rule.split()[1]}" in done.out


def test_a_proposal_counts_only_with_strict() -> None:
    chosen = ("--stream", "W20", "--stream", "A17")
    done, strict = judge("a-cr-late", *chosen), judge("a-cr-late", *chosen, "--strict")
    assert (done.status, "WARN ARK-SSE-19 MUST" in done.out) == (0, True), done.out
    assert (strict.status, "FAIL ARK-SSE-19 MUST" in strict.out) == (1, True)


def test_a_failure_is_shown_with_as_few_cuts_as_possible(tmp_path: Path) -> None:
    report = tmp_path / "parser.json"
    done = judge("by-chunk", "--stream", "W27", "--stream", "S04", "--out", str(report))
    assert f"The report: {report}" in done.out
    found = {each["stream"]: each for each in json.loads(report.read_text("utf-8"))["failures"]}
    assert set(found) == {"S04"} | ({"W27"} & set(found))
    assert len(found["S04"]["chunks_hex"]) == 2
    assert found["S04"]["rules"] == ["ARK-SSE-7"]


def test_a_parser_that_ends_or_goes_silent_is_started_again() -> None:
    chosen = ("--stream", "W21", "--stream", "W22", "--patience", "2")
    for mistake, what in (("crashes", "exited with status 3"), ("hangs", "was silent for 2 s")):
        done = judge(mistake, *chosen)
        assert done.status == 1, done.out
        assert f"the parser {what}" in done.out
        assert "1 right, 1 wrong" in done.out


def test_what_a_parser_does_not_report_is_named_and_not_judged() -> None:
    done = judge("little")
    assert done.status == 0, done.out
    words = "no last_event_id, no resume, no retry, no chunk, no max_event_size"
    assert f"conforms for: events ({words})." in done.out
    assert " 0 not judged" not in done.out


def test_a_run_without_a_stream_that_applies_has_a_status_of_its_own() -> None:
    assert judge("little", "--stream", "B01").status == 4


def test_the_same_seed_makes_the_same_cuts() -> None:
    once, again = (judge("a-cr-late", "--seed", "7", "--stream", "W26").out for _ in range(2))
    assert once == again


def test_what_is_sent_and_answered_is_as_the_schema_says() -> None:
    event: Json = {"type": "message", "data": "x", "last_event_id": "", "chunk": 0}
    answer: Json = {"events": [event], "retry": 3000, "error": "", "last_event_id": ""}
    hello: Json = {"impl": "x", "version": "1", "reports": list(protocol.REPORTS)}
    sent = [
        protocol.hello(),
        *(protocol.parse(each, cut(each.data, (1,))) for each in load_streams()),
    ]
    for message in (answer, hello, *map(parse_json, sent)):
        assert problem(SCHEMA, message) == ""
    assert problem(SCHEMA, {"events": [{"type": "message"}]})
