"""What the commands do, say and return, against the mock backend."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from tests.arkor_proto.blocking.fixtures_blocking import serving
from tests.arkor_proto.cli.command import environment, job_file, run, running
from tests.arkor_proto.transports.peer import refused

QUICK = ("--initial-delay=0.001", "--max-delay=0.001")
STREAM = {"route": "stream"}
SUMMARY = [
    "  loss       1 at step 1, 0.5 at step 3",
    "  metrics    loss 0.1",
    "  artifacts  kind adapter, jobId job-1, step 5",
]
HELD = {"on": STREAM, "after": {"frames": 2}, "stall": {"gate": "stream"}}


def test_run_submits_a_job_and_says_how_it_goes(tmp_path: Path) -> None:
    with serving() as backend:
        ran = run("run", job_file(tmp_path), "--base-url", backend.base_url, "--org", "acme")
        (create,) = backend.asked("create")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "submitted job-1",
        "started  attempt 1  cursor 1",
        "step 1  loss 1  attempt 1  cursor 2",
        "step 2  loss 0.6667  attempt 1  cursor 3",
        "step 3  loss 0.5  attempt 1  cursor 4",
        "checkpoint  step 4  attempt 1  cursor 5",
        "finished  artifacts 1  attempt 1  cursor 6",
        "  duration   0 s",
        *SUMMARY,
        "job-1 completed",
    ]
    assert "orgSlug=acme" in create.target
    assert '"maxSteps": 3' in json.dumps(create.json)


def test_a_failed_job_is_exit_code_1(tmp_path: Path) -> None:
    job = {"events": 3, "status": "failed", "error": "out of \x1b[2J memory"}
    with serving(job=[job]) as backend:
        ran = run("run", job_file(tmp_path), ARKOR_BASE_URL=backend.base_url)
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == r"job-1 failed: out of \x1b[2J memory"


def test_a_cancelled_job_is_exit_code_1_and_is_called_so(tmp_path: Path) -> None:
    with (
        serving(rule=[HELD]) as backend,
        running("run", job_file(tmp_path), ARKOR_BASE_URL=backend.base_url) as command,
    ):
        command.until("step 1")
        cancelled = run("cancel", "job-1", ARKOR_BASE_URL=backend.base_url)
        backend.open("stream")
        ran = command.end()
    assert (cancelled.code, cancelled.out) == (0, "")
    assert cancelled.err == "cancel sent for job-1\n"
    assert (ran.code, ran.out.splitlines()[-1]) == (1, "job-1 cancelled")


def test_follow_goes_on_after_a_cursor() -> None:
    with serving(job=[{"id": "a/b", "submitted": True}]) as backend:
        first = run("follow", "a/b", ARKOR_BASE_URL=backend.base_url)
        ran = run("follow", "a/b", "--last-event-id=5", ARKOR_BASE_URL=backend.base_url)
    assert (first.code, ran.code) == (0, 0)
    assert ran.out.startswith("finished  artifacts 1  attempt 1  cursor 6\n  duration ")
    assert ran.out.endswith("\na/b completed\n")


def test_a_reconnect_is_said_beside_the_results() -> None:
    rule = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 2}, "end": "rst"}
    with serving(job=[{"id": "j", "submitted": True}], rule=[rule]) as backend:
        ran = run("follow", "j", *QUICK, ARKOR_BASE_URL=backend.base_url)
    assert ran.err.startswith("connection: Connection reset by peer (failure 1). Reconnecting in ")
    assert ran.err.endswith(" s, after event 2\n")
    assert "step 2  loss 0.6667  attempt 2  cursor 3" in ran.out


def test_json_says_the_same_to_a_program(tmp_path: Path) -> None:
    rule = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 2}, "end": "eof"}
    with serving(rule=[rule]) as backend:
        path = job_file(tmp_path)
        ran = run("run", path, "--json", *QUICK, ARKOR_BASE_URL=backend.base_url)
    assert ran.err == ""
    assert [line["type"] for line in ran.json] == [
        "submitted",
        "training.started",
        "training.log",
        "reconnecting",
        "training.log",
        "training.log",
        "checkpoint.saved",
        "training.completed",
        "result",
    ]
    assert ran.json[-1]["status"] == "completed"
    assert ran.json[-1]["lastEventId"] == "6"


def on_a_terminal(*arguments: str, interrupt_after: bytes = b"", **changes: str) -> tuple[int, str]:
    """Run the command at a terminal; return its exit status and all that it has shown."""
    ours, theirs = pty.openpty()
    seen = bytearray()
    with (
        os.fdopen(ours, "rb", buffering=0) as screen,
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "arkor_proto", *arguments],
            env=environment(TERM="xterm", **changes),
            stdout=theirs,
            stderr=theirs,
        ) as process,
    ):
        os.close(theirs)
        try:
            while data := screen.read(4096):
                seen += data
                if interrupt_after and interrupt_after in seen:
                    process.send_signal(signal.SIGINT)
                    interrupt_after = b""
        except OSError:  # how a Linux terminal says that everybody has left
            pass
    return process.returncode, seen.decode()


def test_at_a_terminal_the_lines_stay_and_the_panel_goes() -> None:
    job = {"id": "j", "submitted": True, "interval_ms": 100, "events": 8}
    rule = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 3}, "end": "rst"}
    with serving(job=[job], rule=[rule]) as backend:
        delays = ("--initial-delay=0.5", "--max-delay=0.5")
        code, seen = on_a_terminal("follow", "j", *delays, ARKOR_BASE_URL=backend.base_url)
    assert code == 0
    assert "reconnecting in 1 s" in seen
    after_the_panel = seen.rpartition("\x1b[J")[2]
    assert after_the_panel.splitlines()[-1] == "j completed"
    assert "╭" not in after_the_panel
    losses = [line for line in re.split("\r\n|\x1b\\[J", seen) if line.startswith("step ")]
    assert [line.split()[1] for line in losses] == ["1", "2", "3", "4", "5"]


def test_ctrl_c_takes_the_panel_away_and_says_how_to_go_on() -> None:
    job = {"id": "j", "submitted": True}
    with serving(job=[job], rule=[HELD]) as backend:
        address = {"ARKOR_BASE_URL": backend.base_url}
        code, seen = on_a_terminal("follow", "j", interrupt_after=b"step 1  loss", **address)
    assert code == 130
    assert "Traceback" not in seen
    assert seen.rpartition("\x1b[J")[2].splitlines() == [
        "interrupted: j continues",
        "  to continue: arkor-proto follow --last-event-id=2 j",
        "  to stop it:  arkor-proto cancel j",
    ]


def test_without_rich_a_terminal_gets_plain_lines() -> None:
    hidden = "import sys; sys.modules['rich'] = None; import runpy; "
    code = (
        hidden + "sys.argv[0] = 'arkor-proto'; runpy.run_module('arkor_proto', run_name='__main__')"
    )
    ours, theirs = pty.openpty()
    with (
        serving(job=[{"id": "j", "submitted": True}]) as backend,
        os.fdopen(theirs, "wb", buffering=0) as out,
        os.fdopen(ours, "rb") as screen,
    ):
        ended = subprocess.run(
            [sys.executable, "-c", code, "follow", "j"],
            env=environment(TERM="xterm", ARKOR_BASE_URL=backend.base_url),
            stdout=out,
            check=False,
        )
        seen = screen.read1().decode()
    assert ended.returncode == 0
    assert seen.startswith("started  attempt 1  cursor 1\r\n")


def test_quiet_prints_how_it_ends_and_nothing_else() -> None:
    rule = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 2}, "end": "rst"}
    with serving(job=[{"id": "job-1", "submitted": True}], rule=[rule]) as backend:
        ran = run("follow", "job-1", "-q", *QUICK, ARKOR_BASE_URL=backend.base_url)
        lines = run("follow", "job-1", "--quiet", "--json", ARKOR_BASE_URL=backend.base_url)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1:] == [*SUMMARY, "job-1 completed"]
    assert [line["type"] for line in lines.json] == ["result"]


def test_timestamps_begin_every_line() -> None:
    with serving(job=[{"id": "j", "submitted": True}]) as backend:
        ran = run("follow", "j", "--timestamps", ARKOR_BASE_URL=backend.base_url)
        lines = run("follow", "j", "--timestamps", "--json", ARKOR_BASE_URL=backend.base_url)
    for line in ran.out.splitlines():
        assert datetime.fromisoformat(line.partition(" ")[0]).tzinfo is not None
    for record in lines.json:
        assert datetime.fromisoformat(str(record["time"])).tzinfo is not None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_ends_the_wait_and_says_how_to_go_on(
    number: signal.Signals, code: int
) -> None:
    job = {"id": "it's", "submitted": True}
    with serving(job=[job], rule=[HELD]) as backend:
        arguments = ("follow", "it's", "--project=bots")
        with running(*arguments, ARKOR_BASE_URL=backend.base_url) as command:
            command.until("step 1")
            ran = command.signal(number)
        assert backend.asked("cancel") == []
    assert ran.code == code
    again = "--project=bots --last-event-id=2 'it'\"'\"'s'"
    assert ran.err.splitlines() == [
        "interrupted: it's continues",
        f"  to continue: arkor-proto follow {again}",
        "  to stop it:  arkor-proto cancel --project=bots 'it'\"'\"'s'",
    ]


def test_an_interrupt_ends_a_delay() -> None:
    rule = {"on": STREAM, "status": 500}
    with serving(job=[{"id": "j", "submitted": True}], rule=[rule]) as backend:
        arguments = ("follow", "j", "--json", "--initial-delay=60")
        with running(*arguments, ARKOR_BASE_URL=backend.base_url) as command:
            command.until("reconnecting")
            ran = command.signal(signal.SIGINT)
    assert (ran.code, ran.json[-1]["type"], ran.json[-1]["jobId"]) == (130, "interrupted", "j")


def test_an_interrupt_during_the_submission_says_that_the_job_may_exist(tmp_path: Path) -> None:
    rule = {"on": {"route": "create"}, "stall": {"gate": "never"}}
    with (
        serving(rule=[rule]) as backend,
        running("run", job_file(tmp_path), ARKOR_BASE_URL=backend.base_url) as command,
    ):
        backend.wait_for("create", answered=True)
        ran = command.signal(signal.SIGINT)
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines() == [
        "interrupted during the submission: the backend may have created the job",
        "  before you submit it again, check for a job named 'bot'",
    ]


def test_a_closed_output_ends_the_command_and_not_the_job() -> None:
    with (
        serving(job=[{"id": "j", "submitted": True}], rule=[HELD]) as backend,
        running("follow", "j", ARKOR_BASE_URL=backend.base_url) as command,
    ):
        command.until("step 1")
        command.out.close()
        backend.open("stream")
        err = command.err.read()
        assert command.process.wait() == 141
        assert len(backend.asked("stream")) == 1
    assert err == ""


def test_the_budget_spent_is_exit_code_3_with_how_to_go_on() -> None:
    rule = {"on": STREAM, "status": 500}
    with serving(job=[{"id": "j", "submitted": True}], rule=[rule]) as backend:
        arguments = ("follow", "j", "--max-attempts=2", "--last-event-id=4", *QUICK)
        ran = run(*arguments, ARKOR_BASE_URL=backend.base_url)
        assert len(backend.asked("stream")) == 3
    assert ran.code == 3
    again = "--max-attempts=2 --initial-delay=0.001 --max-delay=0.001 --last-event-id=4 j"
    assert f"arkor-proto follow {again}\n" in ran.err


def test_how_to_go_on_repeats_every_option_that_matters(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("tok")
    rule = {"on": STREAM, "status": 410}
    where = ("--base-url={}", f"--token-file={token}", "--org=acme", "--project=bots")
    how = ("--profile=2026-07", "--max-attempts=3", "--initial-delay=2", "--max-delay=9")
    with serving(job=[{"id": "j", "submitted": True}], rule=[rule]) as backend:
        options = tuple(option.format(backend.base_url) for option in (*where, *how))
        ran = run("follow", *options, "j")
    to_continue, to_stop = (line.split(": ", 1)[1].split() for line in ran.err.splitlines()[1:])
    assert to_continue == ["arkor-proto", "follow", *options, "j"]
    assert to_stop == ["arkor-proto", "cancel", *options[:4], "j"]


@pytest.mark.parametrize(
    ("profile", "opens"), [((), 1), (("--profile=2026-05",), 2), (("--profile=hardened",), 1)]
)
def test_the_profile_is_hardened_unless_another_is_named(
    profile: tuple[str, ...], opens: int
) -> None:
    rule = {"on": STREAM, "status": 410}
    with serving(job=[{"id": "j", "submitted": True}], rule=[rule]) as backend:
        arguments = ("follow", "j", "--max-attempts=1", *profile, *QUICK)
        ran = run(*arguments, ARKOR_BASE_URL=backend.base_url)
        assert len(backend.asked("stream")) == opens
    assert ran.code == 3
    assert "410" in ran.err


def test_a_submission_that_is_refused_is_exit_code_3_and_never_repeated(tmp_path: Path) -> None:
    with serving(backend={"token": "another"}) as backend:
        ran = run("run", job_file(tmp_path), ARKOR_BASE_URL=backend.base_url)
        assert len(backend.asked("create")) == 1
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("401: ")


@pytest.mark.parametrize("command", ["run", "follow", "cancel"])
def test_a_refused_connection_is_exit_code_3(tmp_path: Path, command: str) -> None:
    operand = job_file(tmp_path) if command == "run" else "j"
    attempts = () if command == "cancel" else ("--max-attempts=0",)
    ran = run(command, operand, *attempts, ARKOR_BASE_URL=refused())
    assert ran.code == 3
    assert "Connection refused" in ran.err


def test_a_cancel_that_is_declined_is_exit_code_1() -> None:
    with serving() as backend:
        ran = run("cancel", "nope", ARKOR_BASE_URL=backend.base_url)
    asked = "is the id right, or is --org or --project missing?"
    assert (ran.code, ran.err) == (1, f"404: job 'nope' not found; {asked}\n")


def test_without_h11_it_says_what_to_install() -> None:
    code = "import sys; sys.modules['h11'] = None; from arkor_proto.cli.main import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, "-c", code, "follow", "j", "--base-url", "http://127.0.0.1:9"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3
    assert "pip install 'arkor-proto[anyio]'" in ended.stderr
    assert "Traceback" not in ended.stderr


BEYOND = (
    '{"type": "training.log", "step": 1, "loss": 1e999, "evalLoss": -1e999, "x": {"y": [1e999]}}'
)


def test_every_line_is_json_whatever_numbers_a_backend_sends() -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    end = '{"type": "training.completed", "metrics": {"a": 1e999}, "artifacts": [-1e999, [1e999]]}'
    frames = [{"id": "1", "data": BEYOND}, {"id": "2", "data": BEYOND.replace("1e999", "NaN")}]
    rule = {"on": STREAM, "frames": [*frames, {"id": "3", "data": end}], "end": "eof"}
    with serving(job=[{"id": "j", "submitted": True}], rule=[rule]) as backend:
        ran = run("follow", "--json", "j", ARKOR_BASE_URL=backend.base_url)
    lines = [json.loads(line, parse_constant=refuse) for line in ran.out.splitlines()]
    assert [line["type"] for line in lines][-2:] == ["training.completed", "result"]
    assert lines[0]["x"] == {"y": [None]}
    assert lines[-1]["artifacts"] == [None, [None]]
