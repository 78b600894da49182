"""Use the plugin as a user does: run tests inside a test."""

import pytest

from mock_server.testing.sync import mock_in_thread

pytest_plugins = ["pytester"]

OPTIONS = (
    *("-p", "no:randomly", "-p", "no:cacheprovider"),
    *("-p", "no:hypothesispytest", "-p", "no:benchmark", "-p", "no:pytest_cov"),
)
"""Without plugins that have nothing to do with the mock, and take longer to import than a test."""
CLIENT = """
import http.client, json, pytest
from urllib.parse import urlsplit

def ask(mock, method, path, body=None):
    client = http.client.HTTPConnection(urlsplit(mock.base_url).netloc)
    try:
        client.request(method, path, body, {"Authorization": "Bearer t"})
        answer = client.getresponse()
        return answer.status, answer.read()
    finally:
        client.close()

BODY = json.dumps({"name": "n", "config": {"model": "m"}})
"""


@pytest.fixture
def run(pytester: pytest.Pytester) -> "Run":
    return Run(pytester)


class Run:
    """Runs one test file in a directory of its own."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester

    def __call__(self, source: str, *options: str) -> pytest.RunResult:  # noqa: D102 - it runs
        self.pytester.makepyfile(CLIENT + source)
        return self.pytester.runpytest_subprocess(*OPTIONS, "-W", "error", *options)


def test_a_test_gets_a_server_of_its_own(run: Run) -> None:
    result = run("""
def test_one(mock_server):
    assert ask(mock_server, "POST", "/v1/jobs", BODY)[0] == 200
    assert list(mock_server.jobs) == ["job-1"]
    mock_server.verify.create().once()

def test_two(mock_server):
    assert not mock_server.jobs
""")
    result.assert_outcomes(passed=2)


def test_an_asynchronous_test_gets_one_on_its_own_loop(run: Run) -> None:
    result = run("""
import anyio

@pytest.mark.anyio
@pytest.mark.scenario({"on": {"route": "me"}, "status": 418})
async def test_it(amock_server):
    status, _ = await anyio.to_thread.run_sync(ask, amock_server, "GET", "/v1/me")
    assert status == 418
""")
    result.assert_outcomes(passed=2)


def test_rules_of_the_marker_are_served(run: Run) -> None:
    result = run("""
@pytest.mark.scenario({"on": {"route": "me", "attempt": 1}, "status": 503}, seed=5)
def test_it(mock_server):
    assert [ask(mock_server, "GET", "/v1/me")[0] for _ in range(2)] == [503, 200]
    assert mock_server.scenario.seed == 5
""")
    result.assert_outcomes(passed=1)


@pytest.mark.thorough
def test_a_file_beside_the_test_is_served(run: Run) -> None:
    run.pytester.path.joinpath("s.toml").write_text('[[rule]]\non = {route = "me"}\nstatus = 418\n')
    result = run("""
@pytest.mark.scenario("s.toml")
def test_it(mock_server):
    assert ask(mock_server, "GET", "/v1/me")[0] == 418
""")
    result.assert_outcomes(passed=1)


def test_a_rule_that_never_acted_fails_the_test_by_default(run: Run) -> None:
    result = run("""
@pytest.mark.scenario({"on": {"route": "me"}, "status": 503})
def test_strict(mock_server):
    pass

@pytest.mark.scenario({"on": {"route": "me"}, "status": 503}, strict=False)
def test_lax(mock_server):
    pass
""")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*rule 1: never fired; requests to route me: 0*"])


def test_a_failure_shows_the_seed_and_the_journal_and_no_idle_rule(run: Run) -> None:
    result = run("""
@pytest.mark.scenario({"on": {"route": "stream"}, "status": 503}, seed=42)
def test_it(mock_server):
    ask(mock_server, "GET", "/v1/me")
    assert False
""")
    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines_random(
        [
            ".*arkor mock, seed 42",
            r"http://127\.0\.0\.1:\d+",
            r" +\d\.\d+ s  me 1: GET /v1/me → 200",
        ]
    )
    result.stdout.no_fnmatch_line("*RequestReceived*")
    result.stdout.no_fnmatch_line("*never fired*")
    result.stdout.no_fnmatch_line("*Bearer t*")


def test_a_test_that_waits_for_what_never_comes_shows_its_own_line_and_what_came(run: Run) -> None:
    result = run("""
@pytest.mark.scenario({"on": {"route": "create"}, "lose": "response"})
def test_it(mock_server):
    with pytest.raises(ConnectionError):
        ask(mock_server, "POST", "/v1/jobs", BODY)
    mock_server.wait_for("stream", within=0.1)
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>   *mock_server.wait_for("stream", within=0.1)',
            "E   *TimeoutError: request 1 of stream did not arrive within 0.1 s; requests received: 1 of create",
            "test_*.py:*: TimeoutError",
            "*arkor mock, seed 0*",
            "* s  rule 1 fired: lets the backend act on the request, then loses the response",
            "* s  create 1: POST /v1/jobs → the server reset the connection",
        ]
    )
    assert_no_frames_of_ours(result)


WRONG = (
    "mock_server.verify.create().once()",
    "mock_server.on.stream().end('rts')",
    "mock_server.gate('mid').open()",
    "mock_server.job(evnets=3)",
    "mock_server.push(mock_server.job(events=0).id, dat='x')",
)


def test_an_error_for_the_test_has_no_frames_of_ours_in_its_traceback(run: Run) -> None:
    tests = (f"def test_{number}(mock_server):\n    {line}\n" for number, line in enumerate(WRONG))
    result = run("".join(tests))
    result.assert_outcomes(failed=len(WRONG))
    assert_no_frames_of_ours(result)
    result.stdout.fnmatch_lines([f">*{line}" for line in WRONG])


def test_an_asynchronous_test_sees_no_frames_of_ours_either(run: Run) -> None:
    result = run("""
@pytest.mark.anyio
async def test_it(amock_server):
    await amock_server.wait_for("stream", within=0.1)
""")
    result.assert_outcomes(failed=2)
    assert_no_frames_of_ours(result)


def test_a_full_trace_has_every_frame(run: Run) -> None:
    result = run("def test_it(mock_server): mock_server.gate('mid').open()", "--full-trace")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mock_server?testing?sync.py:*"])


def test_an_error_that_may_be_a_bug_of_the_mock_keeps_its_traceback(run: Run) -> None:
    result = run("""
def test_it(mock_server):
    ask(mock_server, "GET", "/v1/me")
    mock_server.wait_until("not callable", within=0.1)
""")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*mock_server?journal?waiting.py:*: TypeError"])


def assert_no_frames_of_ours(result: pytest.RunResult) -> None:
    for place in ("*mock_server?*.py:*", "*anyio?*.py:*", "*concurrent?futures*.py:*"):
        result.stdout.no_fnmatch_line(place)


def test_the_objects_of_the_mock_are_shown_in_a_few_words() -> None:
    with mock_in_thread() as mock:
        port = mock.base_url.rpartition(":")[2]
        job = mock.job(events=2, id="live")
        rule = mock.on.stream().status(503)
        shown = [repr(each) for each in (mock, job, mock.gate("mid"), rule, mock.verify)]
        wanted = repr(mock.verify.stream(attempt=2))
    assert shown == [
        f"<SyncMock http://127.0.0.1:{port}, 0 requests so far>",
        "<Job 'live': queued, 0 events so far>",
        "SyncGate(name='mid')",
        "RuleScript(_words={'on': {'route': 'stream'}, 'status': 503}, index=1)",
        "<Verify: 0 requests so far>",
    ]
    assert wanted == "<Requests stream(attempt=2): 0 of 0 so far>"


def test_a_mistake_in_the_scenario_is_a_message_and_no_traceback(run: Run) -> None:
    result = run("""
@pytest.mark.scenario({"edn": "rst"})
def test_it(mock_server):
    pass
""")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["scenario of *test_it: rule 1: 'edn' is unknown; did you mean*"])
    result.stdout.no_fnmatch_line("During handling of the above exception*")


@pytest.mark.thorough
def test_the_seed_of_the_command_line_is_the_seed_of_the_scenario(run: Run) -> None:
    source = """
def test_it(mock_server):
    assert mock_server.scenario.seed == 99
"""
    run(source, "--arkor-seed", "99").assert_outcomes(passed=1)


@pytest.mark.thorough
def test_tests_run_side_by_side(run: Run) -> None:
    result = run(
        """
@pytest.mark.parametrize("n", range(8))
def test_it(mock_server, n):
    assert ask(mock_server, "POST", "/v1/jobs", BODY)[0] == 200
    assert len(mock_server.jobs) == 1
""",
        "-n2",
    )
    result.assert_outcomes(passed=8)


def test_a_synchronous_test_drives_a_live_stream() -> None:
    with mock_in_thread() as mock:
        job = mock.job(events=0, id="live")
        mock.on.stream().after(frames=1).stall(gate="mid")
        mock.push(job.id, data="one")
        mock.gate("mid").open()
        assert len(mock.jobs["live"].log) == 1


def test_a_synchronous_test_waits_in_vain_for_a_stream_that_is_never_opened() -> None:
    with mock_in_thread() as mock:
        hold = mock.hold(mock.job(id="live").id)
        with pytest.raises(TimeoutError):
            hold.held(within=0.01)
        hold.release()
