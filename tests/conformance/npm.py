"""Install the adapters in JavaScript in a separate folder."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.commandline import ROOT

ADAPTERS = ROOT / "conformance" / "drivers"
OURS = Path(__file__).parent / "javascript"


def installed_adapters(folder: Path, adapter: str = "node") -> Path:
    """Copy the adapters into `folder` and install what one of them needs; skips if that fails."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("node and npm are not on this machine")
    home = folder / "adapters"
    shutil.copytree(ADAPTERS, home, ignore=shutil.ignore_patterns("node_modules"))
    quietly = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts")
    done = subprocess.run(
        [npm, "install", *quietly],
        cwd=home / adapter,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm cannot install the client's dependency: {done.stderr[-300:]}")
    return home
