"""Scenarios in plain words."""

import re

import pytest

from mock_server import scenario_from_dict, scenario_from_toml
from mock_server.scenario.explain import explain
from mock_server.scenario.rule import FAULTS


def said(rule: dict[str, object]) -> str:
    """Return what is said of one rule, without its number."""
    line = explain(scenario_from_dict({"rule": [rule]})).splitlines()[-1]
    return line.removeprefix("Rule 1, for ")


def test_every_fault_that_does_something_alone_has_a_phrase() -> None:
    assert [name for name, fault in FAULTS.items() if fault.alone and fault.phrase is None] == []


@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_is_explained_by_its_source(name: str) -> None:
    line = explain(scenario_from_toml(f"[[rule]]\n{FAULTS[name].example}\n")).splitlines()[-1]
    assert re.match(r"Rule 1, for \w.*: \w.*\.$", line), line
    assert not re.search(r" = |None|: ;|; ;|: \.", line), line


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            {"on": {"route": "stream", "attempt": "2-"}, "status": 503, "retry_after": 2},
            (
                "request 2 of stream and every later one: responds with status 503; "
                "asks the client to wait 2 s (Retry-After)."
            ),
        ),
        (
            {"on": {"connection": "2-3", "times": 1}, "accept": "hang"},
            (
                "connections 2 to 3, 1 time at most: "
                "accepts the connection and sends nothing. It needs the capability listener."
            ),
        ),
        (
            {"on": {"route": "stream", "last": True, "probability": 0.5}, "drop": True},
            (
                "every frame that ends the job in every request of stream, with a chance of 50%: "
                "drops the frame. It needs the capability frame."
            ),
        ),
        (
            {"on": {"header": {"Last-Event-ID": "!"}, "job": "j"}, "resume": {"gap": 1}},
            (
                "every request about the job 'j' without the header Last-Event-ID: "
                "skips 1 frame when it resumes. It needs the capability backend."
            ),
        ),
        (
            {"after": {"frames": 1, "bytes": 20}, "stall": {"gate": "g"}, "end": "fin"},
            (
                "every request: after 1 frame and 20 bytes of the next stalls until the gate 'g' "
                "opens; then closes the connection without ending the response (FIN). "
                "It needs the capabilities frame, raw."
            ),
        ),
        (
            {"stall": {"gate": "never"}},
            "every request: before the first frame stalls for good. It needs the capability frame.",
        ),
        (
            {"headers": {"Link": ["a", "b"], "Server": []}},
            (
                "every request: sends the header Link: 'a' and sends the header Link: 'b' and "
                "sends no header Server."
            ),
        ),
        (
            {"on": {"frame": "1-"}, "delay_ms": 20, "jitter_ms": 5},
            (
                "frame 1 and every later one in every request: "
                "waits 20 ms, give or take 5 ms, before the frame. It needs the capability frame."
            ),
        ),
        (
            {"handoff": {"lose": 1, "repeat": 2}, "hold_bytes": 4096},
            (
                "every request: loses 1 and repeats 2 of the events that are added during the "
                "replay; buffers the body and sends at least 4096 bytes at a time. "
                "It needs the capabilities backend, frame."
            ),
        ),
        (
            {"listener": "down", "listener_ms": 1500},
            "every request: afterwards the port refuses connections for 1.5 s. It needs the capability listener.",
        ),
    ],
)
def test_a_rule_is_said_in_plain_words(rule: dict[str, object], expected: str) -> None:
    assert said(rule) == expected


def test_the_backend_and_the_bounds_are_said_without_the_token() -> None:
    backend = {"token": "hunter2", "unknown_cursor": "gone", "job_prefix": "run-"}
    text = explain(scenario_from_dict({"backend": backend, "limits": {"records": 200}}))
    assert "hunter2" not in text
    assert "The backend accepts only one token.\n" in text
    assert "The backend answers 410 if the Last-Event-ID is not in the job's log.\n" in text
    assert "The backend names its jobs 'run-1', 'run-2' and so on.\n" in text
    assert "Limit: the maximum number of records in the journal: 200 (records).\n" in text


def test_how_the_backend_serves_is_said() -> None:
    backend = {
        "keep_alive_ms": 15_000,
        "first_comment": True,
        "targets": "origin",
        "paths": "raw",
        "expect": "ignored",
        "half_close": "dropped",
        "leak": True,
        "fan_out": "serial",
    }
    lines = explain(scenario_from_dict({"backend": backend})).splitlines()
    assert lines[1:9] == [
        "The backend serves a job's followers one after another, so that a slow one delays the rest.",
        "The backend responds with 400 to a request whose target is a URL.",
        "The backend takes the job's id from a path without decoding it.",
        "The backend ignores Expect: 100-continue and waits for the body.",
        "The backend closes the connection when the client closes its sending half.",
        "The backend sends a comment right after the response head of a job's stream.",
        "The backend sends a comment whenever a job's stream has been idle for 15 s.",
        "The backend counts a connection as open forever if the client drops it during a stream.",
    ]


def test_jobs_are_said_with_their_pace_and_their_end() -> None:
    jobs = [
        {"id": "a", "submitted": True, "emitted": True, "events": [{"data": "x"}]},
        {"events": 1, "interval_ms": 2500, "status": "running"},
    ]
    lines = explain(scenario_from_dict({"job": jobs})).splitlines()
    assert lines[1:3] == [
        (
            "Job 1 with the id 'a' exists from the start: "
            "emits its 1 event as written, before any client follows the job."
        ),
        "Job 2 is created by a request: emits 1 event at intervals of 2.5 s and never ends on its own.",
    ]
