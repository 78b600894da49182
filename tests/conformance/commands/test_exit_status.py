"""Status 1 always is a verdict: problems with outputs, inputs and bugs have other statuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.commandline import ROOT, kit
from tests.forked import Finished

QUICK = ("run", "--case", "create.start-opens-no-stream", "--profile", "2026-05")
BAD_FILES = {
    "nested": b"x = " + b"[" * 100_000,
    "digits": b"x = " + b"9" * 5_000,
    "bytes": b"\xff\xfe",
    "mark": "\ufeffx = 1".encode(),
    "zeros": b"\0" * 100,
}


def in_shell(script: str, *arguments: str, **variables: str) -> Finished:
    """Run the kit as `"$@"` of a shell script."""
    done = subprocess.run(
        ["/bin/bash", "-c", script, "bash", sys.executable, "-m", "conformance", *arguments],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **variables},
        text=True,
        timeout=240,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def test_reports_are_written_even_if_the_output_cannot_be(tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    done = in_shell('"$@" > /dev/full', *QUICK, "--report", str(report))
    assert (done.status, report.exists()) == (3, True), done


@pytest.mark.parametrize("columns", ["0", "1", "20"])
def test_a_narrow_terminal_gets_the_whole_verdict(columns: str) -> None:
    done = kit(*QUICK, COLUMNS=columns, TERM="dumb")
    said = " ".join(done.out.split())
    assert (done.status, "(1/" in said, "…" in said) == (0, True, False), done


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--case", "no.such-case"),
        ("run", "--max-hung", "many"),
        ("run", "--patience", "nan", *QUICK[1:]),
        ("run", "--report", "verdict.doc", *QUICK[1:]),
        ("show", "no.such-case"),
        ("mutants", "--mutant", "no.such-mutant"),
        ("diff", "", ""),
    ],
)
def test_usage_is_status_2(arguments: tuple[str, ...]) -> None:
    done = kit(*arguments)
    assert (done.status, "Traceback" in done.err) == (2, False), done


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("command", ["--file", "--baseline", "report"])
def test_a_file_that_cannot_be_read_is_one_line_and_status_3(
    command: str, name: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(BAD_FILES[name])
    assert_refused(command, file)


@pytest.mark.parametrize("command", ["--file", "--baseline", "report"])
def test_what_is_not_a_file_is_one_line_and_status_3(command: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        assert_refused(command, path)


def assert_refused(command: str, path: Path) -> None:
    out = str(path.parent / "x.md")
    report = ("report", str(path), "--report", out)
    done = kit(*(report if command == "report" else (*QUICK, command, str(path))))
    assert (done.status, done.out, done.err.count("\n")) == (3, "", 1), done
    assert path.name in done.err


def test_an_empty_case_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    done = kit("run", "--file", str(tmp_path / "empty.toml"))
    assert (done.status, "empty.toml: has no case" in done.err) == (3, True), done


def test_a_report_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "no" / "run.json", tmp_path / "file", tmp_path / "file" / "reports"):
        done = kit(*QUICK, "--report", str(path))
        assert (done.status, done.out, "report " in done.err) == (3, "", True), done


def test_a_case_that_is_not_of_the_profile_names_its_profiles() -> None:
    case = "hardened.create-carries-an-idempotency-key"
    done = kit("run", "--case", case, "--profile", "2026-05")
    assert (done.status, f"{case} is played only under hardened;" in done.err) == (4, True), done


def test_nothing_is_imported_from_the_current_directory(tmp_path: Path) -> None:
    for name in ("anyio.py", "json.py", "conformance/__init__.py", "arkor_proto/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('imported from the current directory')\n")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "conformance", *QUICK],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, "conforms in the" in done.stdout) == (0, True), done
