"""What drivers that use the kit's plumbing answer when their client, or the kit, goes wrong."""

import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.conformance.commandline import ROOT
from tests.conformance.dialogue import Dialogue, dialogue
from tests.conformance.npm import OURS

PYTHON: Final = (sys.executable, "-m", "tests.conformance.wrong_drivers.clumsy")
JAVASCRIPT: Final = ("node", str(OURS / "clumsy.mjs"))
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {"python": PYTHON, "javascript": JAVASCRIPT}
OPERATIONS: Final = ("start", "wait", "cancel", "abort")
NOT_COMMANDS: Final = {
    "text": b"secret-token",
    "a list": b'["secret-token"]',
    "null": b"null",
    "not UTF-8": b'{"do": "secret-token\xff',
    "nested too deeply": b"[" * 100_000,
}


@pytest.fixture(params=COMMANDS)
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[Dialogue, None, None]:
    """Start a driver in each of the languages."""
    language = str(request.param)
    if language == "javascript" and shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    with dialogue(COMMANDS[language], tmp_path / "log") as started:
        yield started


@pytest.fixture
def python(tmp_path: Path) -> Generator[Dialogue, None, None]:
    with dialogue(PYTHON, tmp_path / "log") as started:
        yield started


@pytest.fixture
def javascript(tmp_path: Path) -> Generator[Dialogue, None, None]:
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    with dialogue(JAVASCRIPT, tmp_path / "log") as started:
        yield started


def is_sound(driver: Dialogue) -> bool:
    """Play a case that goes well."""
    opened = driver.open("none")
    started = driver.ask("start")
    closed = driver.ask("close")
    return (opened.get("ok"), started.get("ok"), closed.get("ok")) == ({}, {"job_id": "job-1"}, {})


def test_an_operation_before_any_open_is_refused(driver: Dialogue) -> None:
    refused = [driver.failure(operation) for operation in OPERATIONS]
    assert {kind for kind, _ in refused} == {"unsupported"}
    assert [message for _, message in refused if "no case is open" not in message] == []
    assert is_sound(driver)


def test_an_operation_after_the_close_is_refused(driver: Dialogue) -> None:
    assert is_sound(driver)
    assert {driver.failure(operation)[0] for operation in OPERATIONS} == {"unsupported"}


def test_an_open_that_fails_is_answered_with_the_reason(driver: Dialogue) -> None:
    error = driver.open("does-not-open")["error"]
    assert isinstance(error, Mapping)
    assert (error["kind"], "unsupported model" in str(error["message"])) == ("unsupported", True)


def test_an_operation_after_an_open_that_failed_is_refused_with_the_reason(
    driver: Dialogue,
) -> None:
    driver.open("does-not-open")
    refused = [driver.failure(operation) for operation in OPERATIONS]
    assert {kind for kind, _ in refused} == {"unsupported"}
    assert [message for _, message in refused if "unsupported model" not in message] == []


def test_the_open_after_one_that_failed_starts_afresh(driver: Dialogue) -> None:
    driver.open("does-not-open")
    assert driver.ask("close")["ok"] == {}
    assert is_sound(driver)


def test_an_open_needs_no_close_of_the_case_before(driver: Dialogue) -> None:
    driver.open("none")
    assert is_sound(driver)


def test_an_open_without_a_config_is_refused(driver: Dialogue) -> None:
    assert "'config'" in driver.failure("open", case="a-case")[1]
    assert is_sound(driver)


def test_a_close_without_a_case_and_a_second_close_do_nothing(driver: Dialogue) -> None:
    assert driver.ask("close")["ok"] == {}
    assert is_sound(driver)
    assert driver.ask("close")["ok"] == {}


def test_a_wake_before_any_open_wakes_nothing(driver: Dialogue) -> None:
    assert driver.ask("wake", n=1, ms=5)["ok"] == {}
    assert driver.ask("wake")["ok"] == {}
    assert is_sound(driver)


def test_a_command_that_is_not_known_is_refused(driver: Dialogue) -> None:
    refused = [driver.failure(name) for name in ("dance", "toString", "__proto__", "", None)]
    assert {kind for kind, _ in refused} == {"unsupported"}
    assert [message for _, message in refused if "use one of" not in message] == []
    assert is_sound(driver)


def test_a_protocol_that_is_not_spoken_is_refused(driver: Dialogue) -> None:
    kind, message = driver.failure("hello", protocol="arkor-drive/9")
    assert (kind, "arkor-drive/9" in message) == ("unsupported", True), message


@pytest.mark.parametrize("line", NOT_COMMANDS.values(), ids=NOT_COMMANDS.keys())
def test_a_line_that_is_not_a_command_ends_the_driver_with_a_message(
    driver: Dialogue, line: bytes
) -> None:
    driver.send(b"")
    driver.send(line)
    assert driver.status() == 2
    said = driver.said()
    assert ("line 2 of standard input is not" in said, "secret-token" in said) == (True, False)
    assert len(said.splitlines()) == 1


def test_a_command_without_an_id_is_carried_out_and_not_answered(driver: Dialogue) -> None:
    driver.send(b'{"do": "open", "config": {}}')
    driver.send(b'{"do": "dance"}')
    driver.send(b'{"do": "wake", "n": 1}')
    assert driver.ask("start")["ok"] == {"job_id": "job-1"}


def test_only_a_line_feed_ends_a_line(driver: Dialogue) -> None:
    driver.send('{"id": 1, "do": "\u2028\u2029\x85"}\r'.encode())
    assert "is not a command" in str(driver.answer_to(1)["error"])


def test_the_last_command_may_lack_its_line_feed(driver: Dialogue) -> None:
    assert driver.process.stdin is not None
    driver.process.stdin.write(b'{"id": 1, "do": "close"}')
    driver.process.stdin.close()
    assert driver.answer_to(1)["ok"] == {}
    assert driver.status() == 0


def test_the_end_of_input_ends_the_driver(driver: Dialogue) -> None:
    driver.open("none")
    driver.begin("wait")
    assert driver.status() == 0


@pytest.mark.parametrize(("fault", "message"), [("fails", "plain"), ("fails-inexplicably", "odd")])
def test_a_failure_is_answered_even_if_the_adapter_cannot_explain_it(
    driver: Dialogue, fault: str, message: str
) -> None:
    driver.open(fault)
    kind, said = driver.failure("start")
    assert (kind, message in said) == ("other", True), said
    assert is_sound(driver)


def test_what_json_cannot_express_is_reported_as_text(driver: Dialogue) -> None:
    driver.open("hears-nonsense")
    driver.ask("start")
    (event,) = driver.events
    data = event["data"]
    assert isinstance(data, Mapping)
    assert (data["loss"], data["step"], type(data["epoch"])) == ("NaN", "-Infinity", str)


def test_a_cycle_in_an_event_does_not_end_the_client(driver: Dialogue) -> None:
    driver.open("hears-a-cycle")
    assert driver.ask("start")["ok"] == {"job_id": "job-1"}
    assert [event["name"] for event in driver.events] == ["log"]


def test_what_a_client_prints_does_not_get_between_the_lines_of_the_protocol(
    driver: Dialogue,
) -> None:
    driver.open("prints")
    assert driver.ask("start")["ok"] == {"job_id": "job-1"}
    assert "hello, world" in driver.said()


@pytest.mark.parametrize("time", ["scaled", "real"])
def test_a_kit_that_asks_for_real_time_gets_it(driver: Dialogue, time: str) -> None:
    hello = driver.ask("hello", protocol="arkor-drive/1", time=time)["ok"]
    assert isinstance(hello, Mapping)
    assert hello["capabilities"] == ["abort", "cancel"]
    driver.open("sleeps")
    assert driver.ask("start")["ok"] == {"job_id": "job-1"}
    assert driver.events == []


def test_a_kit_that_asks_for_nothing_gets_virtual_time(driver: Dialogue) -> None:
    hello = driver.ask("hello", protocol="arkor-drive/1")["ok"]
    assert isinstance(hello, Mapping)
    assert hello["capabilities"] == ["clock.virtual", "clock.advance", "abort", "cancel"]
    driver.open("sleeps")
    started = driver.begin("start")
    driver.ask("wake", n=0)
    driver.send(b'{"do": "wake", "n": 1}')
    assert driver.answer_to(started)["ok"] == {"job_id": "job-1"}
    assert [event["event"] for event in driver.events] == ["sleep", "sleep_end"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("fails-in-a-group", "many (2 sub-exceptions)"),
        ("fails-in-a-base-group", "many (2 sub-exceptions)"),
        ("is-cancelled", "by its own hand"),
    ],
)
def test_every_python_exception_of_an_operation_is_an_answer(
    python: Dialogue, fault: str, message: str
) -> None:
    python.open(fault)
    kind, said = python.failure("start")
    assert (kind, message in said) == ("other", True), said
    assert is_sound(python)


def test_an_abort_that_raises_is_answered(python: Dialogue) -> None:
    python.open("none")
    assert python.failure("abort", reason="enough") == ("other", "abort is broken: enough")
    assert is_sound(python)


def test_a_cancellation_that_escapes_while_opening_is_an_answer(python: Dialogue) -> None:
    error = python.open("opening-is-cancelled")["error"]
    assert isinstance(error, Mapping)
    assert (error["kind"], "by its own hand" in str(error["message"])) == ("unsupported", True)
    assert is_sound(python)


def test_a_client_that_breaks_down_in_the_background_fails_every_operation(
    python: Dialogue,
) -> None:
    python.open("breaks-down")
    kind, message = python.failure("wait")
    assert (kind, "the client failed" in message) == ("other", True), message
    assert python.failure("start")[0] == "other"
    assert python.failure("close")[0] == "other"
    assert "a task of the client crashed" in python.said()
    assert is_sound(python)


def test_a_client_that_cannot_be_closed_says_so_once(python: Dialogue) -> None:
    python.open("does-not-close")
    kind, message = python.failure("close")
    assert (kind, "the pool cannot be closed" in message) == ("other", True), message
    assert python.ask("close")["ok"] == {}
    assert is_sound(python)


def test_an_operation_that_the_close_ends_is_answered(driver: Dialogue) -> None:
    driver.open("none")
    waiting = driver.begin("wait")
    closing = driver.begin("close")
    error = driver.answer_to(waiting)["error"]
    assert isinstance(error, Mapping)
    assert error["kind"] == "aborted"
    assert driver.answer_to(closing)["ok"] == {}


def test_the_commands_may_come_from_a_file(tmp_path: Path) -> None:
    written = tmp_path / "commands"
    written.write_text('{"id": 1, "do": "hello"}\n{"id": 2, "do": "bye"}\n')
    with written.open("rb") as commands:
        done = subprocess.run(
            PYTHON, stdin=commands, capture_output=True, cwd=ROOT, timeout=60, check=False
        )
    assert (done.returncode, done.stdout.count(b"\n"), done.stderr) == (0, 2, b"")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("throws-at-once", "not even a promise"),
        ("rejects-with-nothing", "undefined"),
        ("rejects-with-null-prototype", "cannot be printed"),
        ("returns-a-cycle", "cannot be printed"),
    ],
)
def test_every_javascript_failure_of_an_operation_is_an_answer(
    javascript: Dialogue, fault: str, message: str
) -> None:
    javascript.open(fault)
    kind, said = javascript.failure("start")
    assert (kind, message in said) == ("other", True), said
    assert is_sound(javascript)


def test_an_unhandled_rejection_of_a_client_is_a_line_in_the_log(javascript: Dialogue) -> None:
    javascript.open("leaves-a-rejection-behind")
    assert javascript.ask("start")["ok"] == {"job_id": "job-1"}
    assert is_sound(javascript)
    assert "nothing handles this" in javascript.said()


def test_a_client_that_goes_on_after_its_case_is_not_heard_in_the_next(
    javascript: Dialogue,
) -> None:
    javascript.open("goes-on")
    javascript.ask("start")
    assert is_sound(javascript)
    assert javascript.status() == 0
    assert (javascript.events, "after its case was closed" in javascript.said()) == ([], True)
