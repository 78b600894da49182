"""`--state`: whatever ends the command, the next one goes on where it was."""

import json
import random
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.arkor_proto.blocking.fixtures_blocking import Backend, serving
from tests.arkor_proto.cli.command import JOB, Ran, environment, job_file, run, running

STREAM = {"route": "stream"}
QUICK = ("--initial-delay=0.001", "--max-delay=0.001")
SUBMITTED = {"id": "j", "submitted": True}


def follow(backend: Backend, state: Path, *arguments: str) -> Ran:
    """Follow with a state file."""
    return run("follow", f"--state={state}", *arguments, ARKOR_BASE_URL=backend.base_url)


def shown(out: str) -> list[int]:
    """Return the cursors of the events in the output, in order."""
    return [int(line.rpartition(" ")[2]) for line in out.splitlines() if "  cursor " in line]


def test_a_second_command_goes_on_where_the_first_was(tmp_path: Path) -> None:
    state = tmp_path / "state"
    rule = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 3}, "stall": {"gate": "never"}}
    with serving(job=[SUBMITTED], rule=[rule]) as backend:
        arguments = ("follow", "j", f"--state={state}")
        with running(*arguments, ARKOR_BASE_URL=backend.base_url) as command:
            command.until("step 2")
            command.process.kill()
        again = follow(backend, state)
        over = follow(backend, state, "j")
    assert shown(again.out) in ([3, 4, 5, 6], [4, 5, 6])
    assert (again.code, again.out.splitlines()[-1]) == (0, "j completed")
    assert (over.code, shown(over.out), over.out.splitlines()[-1]) == (0, [], "j completed")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_job_file_is_submitted_once_however_often_the_command_runs(tmp_path: Path) -> None:
    arguments = ("run", job_file(tmp_path), f"--state={tmp_path / 'state'}")
    with serving() as backend:
        first = run(*arguments, ARKOR_BASE_URL=backend.base_url)
        job_file(tmp_path, "# the same job\n" + JOB)
        second = run(*arguments, ARKOR_BASE_URL=backend.base_url)
        assert len(backend.asked("create")) == 1
        job_file(tmp_path, JOB.replace('"bot"', '"another"'))
        third = run(*arguments, ARKOR_BASE_URL=backend.base_url)
        assert len(backend.asked("create")) == 1
    assert [first.code, second.code, third.code] == [0, 0, 2]
    assert second.out.splitlines()[-1] == "job-1 completed"
    assert third.err.endswith(": belongs to another job file; use another state file\n")


def test_a_submission_that_was_lost_is_not_repeated_by_itself(tmp_path: Path) -> None:
    path, state = job_file(tmp_path), tmp_path / "state"
    rule = {"on": {"route": "create"}, "lose": "response"}
    with serving(rule=[rule]) as backend:
        address = {"ARKOR_BASE_URL": backend.base_url}
        lost = run("run", path, f"--state={state}", **address)
        again = run("run", path, f"--state={state}", **address)
        found = run("follow", "job-1", f"--state={state}", **address)
        after = run("run", path, f"--state={state}", **address)
        assert len(backend.asked("create")) == 1
    assert [lost.code, again.code, found.code, after.code] == [3, 2, 0, 0]
    assert (
        "the submission was interrupted, so the backend may have created the job. Look" in again.err
    )
    assert f"`arkor-proto follow JOB --state={state}`" in again.err


def test_a_submission_that_was_refused_leaves_no_state(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(backend={"token": "another"}) as backend:
        arguments = ("run", job_file(tmp_path), f"--state={state}")
        assert run(*arguments, ARKOR_BASE_URL=backend.base_url).code == 3
    assert not state.exists()


def test_the_state_of_a_job_that_was_seen_is_enough_to_wait_for_a_backend(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(job=[SUBMITTED]) as backend:
        assert follow(backend, state, "j").code == 0
    ran = follow(backend, state, "--max-attempts=1", *QUICK)
    assert (ran.code, "Reconnecting in " in ran.err) == (3, True)
    how = f"--state={state} --max-attempts=1"
    assert f"to continue: arkor-proto follow {how}" in ran.err
    assert "--last-event-id" not in ran.err


def test_a_state_that_cannot_be_written_ends_the_command_and_not_the_job(tmp_path: Path) -> None:
    state = tmp_path / "gone" / "state"
    with serving(job=[SUBMITTED]) as backend:
        followed = follow(backend, state, "j")
        arguments = ("run", job_file(tmp_path), f"--state={state}")
        submitted = run(*arguments, ARKOR_BASE_URL=backend.base_url)
        assert backend.asked("create") == []
    why = f"arkor-proto: {state}: No such file or directory"
    assert (followed.code, followed.err) == (3, f"{why}; the job continues\n")
    assert (submitted.code, submitted.err) == (3, f"{why}\n")


def test_an_event_that_could_not_be_written_is_shown_by_the_next_command(tmp_path: Path) -> None:
    state = tmp_path / "state"
    rule = {"on": {**STREAM, "attempt": 1}, "after": {"frames": 2}, "stall": {"gate": "next"}}
    with serving(job=[SUBMITTED], rule=[rule]) as backend:
        arguments = ("follow", "j", f"--state={state}")
        with running(*arguments, ARKOR_BASE_URL=backend.base_url) as command:
            command.until("step 1")
            command.out.close()
            backend.open("next")
            assert command.process.wait() == 141
        again = follow(backend, state)
    assert shown(again.out) == [3, 4, 5, 6]


GOOD = {
    "arkorState": 1,
    "baseUrl": "http://127.0.0.1:9",
    "org": "",
    "project": "",
    "jobFile": "",
    "jobId": "j",
    "lastEventId": "4",
}
FOREIGN = "this is not an arkor-proto state file; remove it, or use another file"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", FOREIGN),
        ('{"arkorState": 1', FOREIGN),
        ("[" * 100_000, FOREIGN),
        ("\xff", FOREIGN),
        ("{}", FOREIGN),
        (json.dumps({**GOOD, "arkorState": 2}), FOREIGN),
        (json.dumps({**GOOD, "jobId": 1}), FOREIGN),
        (json.dumps({**GOOD, "jobId": ".."}), FOREIGN),
        (json.dumps({**GOOD, "lastEventId": "\n"}), FOREIGN),
        (json.dumps(GOOD) + " " * 65_536, FOREIGN),
        (json.dumps({**GOOD, "jobId": "k"}), "is for job 'k', not 'j'; use another file"),
        (
            json.dumps({**GOOD, "org": "acme"}),
            "was saved with --org 'acme', not ''; use another file",
        ),
        (
            json.dumps({**GOOD, "baseUrl": "http://h"}),
            "was saved with --base-url 'http://h', not 'http://127.0.0.1:9'; use another file",
        ),
    ],
)
def test_a_state_that_is_corrupt_or_of_another_job_is_refused_in_one_line(
    tmp_path: Path, content: str, problem: str
) -> None:
    path = tmp_path / "state"
    path.write_text(content, "latin-1")
    ran = run("follow", "j", f"--state={path}", ARKOR_BASE_URL="http://127.0.0.1:9")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"arkor-proto: --state {path}: {problem}\n"
    assert path.read_text("latin-1") == content


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--state=.",), "--state .: Is a directory"),
        (("--state=new",), "JOB: missing; there is no job id in new yet"),
        ((), "JOB: missing; give the job's id, or its state file with --state"),
        (
            ("j", "--state=new", "--last-event-id=4"),
            "--last-event-id: cannot be combined with --state, which also says where to resume",
        ),
    ],
)
def test_a_state_that_does_not_say_what_to_follow_is_refused(
    arguments: tuple[str, ...], problem: str
) -> None:
    ran = run("follow", *arguments, ARKOR_BASE_URL="http://127.0.0.1:9")
    assert (ran.code, ran.err) == (2, f"arkor-proto: {problem}\n")


def killed(command: list[str], variables: dict[str, str], *, after: float, events: int) -> str:
    """Run a command, kill it so many seconds after so many lines, and return its output."""
    with subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(events)]
        time.sleep(after)  # the moment is the point
        process.kill()
        lines += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL, "the job was over before it was killed"
    return "".join(lines)


@pytest.mark.parametrize(
    ("seed", "kills"),
    [(0, 12), *(pytest.param(seed, 50, marks=pytest.mark.thorough) for seed in range(1, 5))],
)
@pytest.mark.timeout(600)
def test_a_command_that_is_killed_at_any_moment_loses_nothing(
    tmp_path: Path, seed: int, kills: int
) -> None:
    chance, seen = random.Random(seed), list[str]()  # noqa: S311 - no secret
    job, slow = {**SUBMITTED, "events": kills * 50}, {"on": STREAM, "rate": 4000}
    command = [sys.executable, "-m", "arkor_proto", "follow", "j", f"--state={tmp_path / 'state'}"]
    with serving(job=[job], rule=[slow]) as backend:
        variables = environment(ARKOR_BASE_URL=backend.base_url)
        for number in range(kills):
            begins = number % 4 == 0  # somewhere between its start and its first events
            moment = chance.uniform(0, 0.6 if begins else 0.1)
            events = 0 if begins else chance.randrange(1, 4)
            seen.append(killed(command, variables, after=moment, events=events))
        reached = len(set(shown("".join(seen))))
        backend.portal.call(backend.mock.remove_rule, 0)
        rest = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    cursors = shown("".join((*seen, rest.stdout)))
    assert reached > kills // 2
    assert (cursors[0], cursors[-1]) == (1, kills * 50)
    assert {after - before for before, after in pairwise(cursors)} <= {0, 1}
