"""The whole suite uses all cores as it is typed, and says what it leaves out; a part uses one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEST = """
import os
from pathlib import Path

def test_it():
    Path("where").write_text("worker" if "PYTEST_XDIST_WORKER" in os.environ else "here")
"""
RUN = """
import json, sys
from pathlib import Path
import pytest

places = []
for arguments in json.loads(sys.argv[1]):
    assert pytest.main(["-p", "tests.conftest", "-p", "no:randomly", *arguments]) == 0
    places.append(Path("where").read_text())
print(json.dumps(places))
"""


def places(folder: Path, *runs: tuple[str, ...]) -> tuple[list[str], str]:
    """Run one test with these arguments each time; return where it ran, and the whole output."""
    (folder / "pytest.ini").write_text("[pytest]\ntestpaths = test_inner.py\n")
    (folder / "test_inner.py").write_text(TEST)
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(runs)],
        cwd=folder,
        env={**clean, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *output, last = done.stdout.splitlines()
    return json.loads(last), "\n".join(output)


def test_all_of_it_runs_in_several_processes_and_says_what_it_left_out(tmp_path: Path) -> None:
    found, output = places(tmp_path, ())
    assert found == ["worker"]
    assert f"{len(os.sched_getaffinity(0)) + 1} workers" in output
    assert "Not run: " in output


def test_a_part_of_it_and_a_run_that_is_told_how_run_as_they_are_told(tmp_path: Path) -> None:
    here = (("test_inner.py",), ("-k", "it"), ("--lf",), ("-n", "0"), ("-p", "no:xdist"))
    found, _ = places(tmp_path, *here, ("-n", "1"))
    assert found == [*("here" for _ in here), "worker"]
