"""The arrows between the packages: they hold, and a violation would be seen."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("arkor_proto", "mock_server", "conformance")


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the packages in `directory`."""
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"],
        cwd=directory,
        env={"PYTHONPATH": str(directory), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a directory with a copy of the packages and their contracts."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def plant(file: Path, line: str) -> None:
    """Add an import at the end of a file, which may be a new one."""
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    file.write_text(f"{before}\n{line}\n", encoding="utf-8")


def test_every_contract_is_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_a_copy_keeps_every_contract_as_well(copy: Path) -> None:
    done = lint(copy)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        (
            "arkor_proto/_wait.py",
            "import socket",
            "no socket, no clock and no random numbers BROKEN",
        ),
        (
            "arkor_proto/_backoff.py",
            "import time",
            "no socket, no clock and no random numbers BROKEN",
        ),
        (
            "arkor_proto/_backoff.py",
            "import random",
            "no socket, no clock and no random numbers BROKEN",
        ),
        (
            "arkor_proto/_session.py",
            "import anyio",
            "no socket, no clock and no random numbers BROKEN",
        ),
        ("arkor_proto/_types.py", "import arkor_proto._session", "The core is layered"),
        ("arkor_proto/_json.py", "import mock_server", "arrows between the packages"),
        ("arkor_proto/cli/output.py", "import mock_server", "arrows between the packages"),
        ("mock_server/__init__.py", "import conformance", "arrows between the packages"),
        ("mock_server/__init__.py", "import arkor_proto._session", "never its session"),
        ("mock_server/faults/plan.py", "import mock_server.net.wire", "The rooms of the mock"),
        ("mock_server/anew.py", "", "The rooms of the mock"),
        ("mock_server/net/wire.py", "import mock_server.net.body", "The sockets of the mock"),
        (
            "mock_server/scenario/words/head.py",
            "import mock_server.scenario.words.end",
            "A fault is declared in the file of its phase, and no phase needs another BROKEN",
        ),
        (
            "mock_server/faults/head.py",
            "import mock_server.faults.end",
            "A fault is carried out in the file of its phase, and no phase needs another BROKEN",
        ),
        ("conformance/trace/events.py", "import conformance.runner.run", "The rooms of the kit"),
        ("conformance/anew.py", "", "The rooms of the kit"),
        (
            "conformance/transport_suite/bench.py",
            "import conformance.transport_suite.check",
            "The suite for transports is layered",
        ),
        (
            "conformance/transport_suite/wire.py",
            "import arkor_proto._wire",
            "The suite for transports uses public names",
        ),
    ],
)
def test_a_planted_violation_is_caught(copy: Path, file: str, line: str, contract: str) -> None:
    plant(copy / file, line)
    done = lint(copy)
    broken = [text for text in done.stdout.splitlines() if " BROKEN" in text]
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(contract.removesuffix(" BROKEN") in text for text in broken), done.stdout
