"""The help of every command shows one example, and the example works."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conformance.__main__ import cli
from conformance.reports import write_run
from conformance.verdict.statuses import Verdict
from tests.conformance.sample_run import result, run

LONG = ("explore", "diff")
COMMANDS = (
    "list",
    "report",
    "coverage",
    "init",
    *(pytest.param(each, marks=pytest.mark.thorough) for each in LONG),
)
YOURS = r"node (my|another)-driver\.mjs"
OURS = f"{sys.executable} -m conformance.drivers.python.reference"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, standalone_mode=False, catch_exceptions=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_example_of_the_help_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_run([tmp_path / "run.json"], run([result(Verdict.PASS)]))
    shown = re.findall(
        rf"^ +arkor-conformance ({command} .+)$", invoke(command, "--help").output, re.MULTILINE
    )
    assert len(shown) == 1
    done = invoke(*shlex.split(re.sub(YOURS, OURS, shown[0])))
    assert done.return_value in {0, None}, done.output


@pytest.mark.parametrize("command", ["init", "report", "compare", "list"])
def test_a_command_that_plays_nothing_loads_nothing_that_plays(command: str) -> None:
    code = (
        "import sys; from conformance.__main__ import cli;"
        f"cli.main([{command!r}, '--help'], standalone_mode=False);"
        "sys.exit('conformance.runner.run' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["run", "list", "show", "coverage", "mutants"])
def test_a_command_loads_no_case_about_backends_before_it_is_asked_for_one(command: str) -> None:
    code = (
        "import sys; from conformance.__main__ import cli;"
        f"cli.main([{command!r}, '--help'], standalone_mode=False);"
        "sys.exit(any(name.startswith('conformance.backends') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
