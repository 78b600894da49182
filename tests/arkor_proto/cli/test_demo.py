"""The demonstration shows a recovery, ends by itself and is honest about what it saw."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.arkor_proto.cli.command import run, running
from tests.forked import ROOT


def test_one_watches_a_job_survive_a_reset_and_a_503() -> None:
    ended = run("demo", ARKOR_TOKEN=None)
    assert (ended.code, ended.err) == (0, "")
    moments = re.findall(r"^ +[\d.]+ s  (client|backend) +(.*)$", ended.out, re.MULTILINE)
    seen = [f"{who}: {what.partition('.')[0]}" for who, what in moments]
    turns = [
        "client: submits a job",
        "backend: gets a request for the stream, from the start",
        "backend: resets the connection",
        "client: connection: Connection reset by peer",
        "backend: gets a request for the stream, after event 4",
        "backend: answers 503",
        "client: 503: Service Unavailable",
        "client: the job is complete",
    ]
    assert [each for each in seen if each in turns] == [
        *turns[:5],
        *turns[5:7],
        turns[4],
        turns[7],
    ]
    steps = re.findall(r"client   step (\d+)", ended.out)
    assert steps == [str(each) for each in range(1, len(steps) + 1)]
    assert f"The client saw {len(steps)} steps, each once and in order" in ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    with running("demo") as command:
        command.until("step 1")
        assert command.signal(number).code == 128 + number


@pytest.mark.parametrize("package", ["anyio", "h11"])
def test_without_its_extra_it_names_it_in_one_line(tmp_path: Path, package: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules[{package!r}] = None")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "arkor_proto", "demo"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"arkor-proto: {package} is not installed; pip install 'arkor-proto[mock]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (3, "", said)


def test_an_output_that_cannot_be_written_is_told_once() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "arkor_proto", "demo"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said = "arkor-proto: cannot write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (3, said)
