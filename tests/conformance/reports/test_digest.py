"""The decisive lines of a failure: what led to it, how operations settled, the end, or one lap."""

import io

from attrs import evolve

from conformance.casefile.nonces import Nonces
from conformance.reports.digest import causes, decisive
from conformance.reports.markdown import markdown
from conformance.reports.screen import Screen
from conformance.reports.terminal import Report
from conformance.strict_data import Table
from conformance.trace.events import Called, Failure, Noted, Requested, Settled, Slept, Trace, Woken
from conformance.verdict.result import CaseResult, Finding
from conformance.verdict.statuses import Verdict
from tests.conformance.sample_run import result, run


def asked(attempt: int, target: str = "/v1/jobs/job-1/events/stream") -> Requested:
    return Requested("stream", attempt, "GET", target, (), "", attempt)


def failing(trace: Trace, here: int | None, *, endless: bool = False) -> CaseResult:
    """Return a failure whose divergence is at event number `here`."""
    event = None if here is None else trace.events[here - 1]
    finding = Finding(
        assertion="requests.stream", requires=("ARK-BUD-1",), expected="1", actual="2", event=event
    )
    return evolve(result(Verdict.FAIL), trace=trace, findings=(finding,), endless=endless)


def shown(of: CaseResult) -> list[str]:
    found = Table("run", run([of]))
    return [line.text for line in decisive(found.tables("results")[0], found)]


def noted(count: int) -> Trace:
    trace = Trace()
    for n in range(1, count + 1):
        trace.append(Noted("driver", f"note {n}"), 0.0)
    return trace


def numbers(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines]


def test_the_first_divergence_comes_with_what_led_to_it_and_with_the_end() -> None:
    found = numbers(shown(failing(noted(30), 12)))
    assert found == [*(str(n) for n in range(6, 13)), "…", "26", "27", "28", "29", "30"]


def test_a_failure_without_an_event_shows_the_end() -> None:
    assert numbers(shown(failing(noted(30), None))) == ["26", "27", "28", "29", "30"]


def test_what_the_kit_did_to_close_the_case_is_not_its_end() -> None:
    trace = noted(8)
    trace.append(Called("close"), 0.0)
    trace.append(Settled("close", {}, None), 0.0)
    assert numbers(shown(failing(trace, None))) == ["4", "5", "6", "7", "8"]


def test_only_the_diverging_line_is_marked() -> None:
    found = Table("run", run([failing(noted(9), 5)]))
    lines = decisive(found.tables("results")[0], found)
    assert [line.text.split()[0] for line in lines if line.here] == ["5"]


def test_an_endless_case_shows_its_first_lap() -> None:
    trace = Trace()
    trace.append(Called("wait"), 0.0)
    for n in range(1, 200):
        trace.append(asked(n), 0.0)
        trace.append(Slept(n, 1000.0, "reconnect"), 0.0)
        trace.append(Woken(n), 0.0)
    lines = shown(failing(trace, 598, endless=True))
    assert numbers(lines) == ["1", "2", "3", "4", "…"]
    assert lines[-1] == "… repeated in a loop, 598 events in all"


def test_an_endless_case_without_a_lap_shows_its_beginning() -> None:
    trace = Trace()
    for n in range(100):
        trace.append(Noted("driver", "x" * n + str(n)[0]), 0.0)
    assert shown(failing(trace, None, endless=True))[-1].startswith("… and")


def test_every_failure_says_how_each_operation_settled() -> None:
    trace = Trace()
    for operation in ("open", "start", "wait"):
        trace.append(Called(operation), 0.0)
    trace.append(Settled("open", {}, None), 0.0)
    trace.append(Settled("start", {}, Failure("http", 500, "oh")), 0.0)
    found = Table("run", run([failing(trace, None)])).tables("results")[0]
    assert found.texts("operations") == ("start fails: http 500  oh", "wait never settled")
    text = markdown(run([failing(trace, None)]))
    assert ("start fails: http 500" in text, "wait never settled" in text) == (True, True)


def test_a_reader_sees_plain_names_and_no_nonce() -> None:
    nonces = Nonces("0123456789abcdef")
    trace = Trace()
    trace.append(asked(1, "/v1/jobs/job-0123456789abcdef-1/events/stream"), 0.0)
    told = evolve(failing(trace, 1), nonces=nonces)
    (line,) = shown(told)
    assert ("/v1/jobs/job-1/events" in line, "0123456789abcdef" in line) == (True, False)


def test_traces_that_differ_by_their_nonces_share_their_events() -> None:
    results: list[CaseResult] = []
    for n in range(10):
        nonces = Nonces(f"{n:016x}")
        trace = Trace()
        trace.append(asked(1, f"/v1/jobs/{nonces.job_prefix}1"), 0.0)
        results.append(evolve(result(Verdict.PASS), trace=trace, nonces=nonces))
    assert len(Table("run", run(results)).items("events")) == 1


def printed(results: list[CaseResult]) -> str:
    output = io.StringIO()
    Report(Screen(file=output, width=120, highlight=False)).print(run(results))
    return output.getvalue()


def named(name: str, rule: str = "ARK-BUD-1") -> CaseResult:
    of = failing(noted(3), 2)
    finding = evolve(of.findings[0], requires=(rule,))
    return evolve(of, case=evolve(of.case, id=f"budget.{name}"), findings=(finding,))


def test_the_same_cause_is_shown_once_with_the_other_cases_that_cite_it() -> None:
    text = printed([named(f"case-{n}") for n in range(15)])
    assert text.count("rerun it alone") == 1
    assert "and 14 more cases: budget.case-1, " in text


def test_two_causes_are_both_shown() -> None:
    text = printed([named("one"), named("two", "ARK-BUD-2")])
    assert text.count("rerun it alone") == 2


def test_causes_that_more_cases_cite_come_first() -> None:
    found = Table("run", run([named("a", "ARK-BUD-2"), named("b"), named("c")]))
    assert [cause.rule for cause in causes(found)] == ["ARK-BUD-1", "ARK-BUD-2"]


def test_no_line_of_the_terminal_is_without_end() -> None:
    trace = Trace()
    trace.append(Noted("driver", "x" * 100_000), 0.0)
    assert max(map(len, printed([failing(trace, 1)]).splitlines())) <= 200
