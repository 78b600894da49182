"""What CI installs to try the lowest versions that the project says it works with."""

import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / ".ci" / "lowest.py"


def lowest() -> dict[str, str]:
    """Return the constraints."""
    done = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True)
    return dict(line.split("==") for line in done.stdout.splitlines())


def test_every_direct_dependency_has_a_lowest_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    named = {*project["dependencies"], *(each for extra in extras for each in extra)}
    ours = [each for each in named if each.startswith("arkor-proto") or ";" in each]
    assert len(lowest()) == len(named) - len(ours)


@pytest.mark.parametrize("name", ["anyio", "attrs", "h11", "trio"])
def test_a_lowest_version_is_one_that_is_not_newer_than_what_is_tested(name: str) -> None:
    def parts(text: str) -> list[int]:
        return [int(part) for part in text.split(".")[:2]]

    assert parts(lowest()[name]) <= parts(version(name))
