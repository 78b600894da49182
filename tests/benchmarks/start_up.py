"""Measures start-up: importing the core, and a run of pytest that does not use the plugin.

Time is the CPU time of child processes that take turns, each with cached bytecode; the fastest of
several rounds counts.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROUNDS: Final = 21
_ROOT: Final = Path(__file__).parents[2]


def import_milliseconds(rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the milliseconds that importing the package adds to bare Python, and attrs alone."""
    bare, attrs, package = _fastest(
        [["-c", code] for code in ("pass", "import attrs", "import arkor_proto")], _ROOT, rounds
    )
    return package - bare, attrs - bare


def plugin_milliseconds(rounds: int = ROUNDS) -> float:
    """Return the milliseconds that the plugin adds to a run of pytest that does not use it."""
    run = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    with TemporaryDirectory() as place:
        Path(place, "pytest.ini").write_text("[pytest]\n")
        Path(place, "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        without, having = _fastest([run, [*run, "-p", "pytest_arkor_mock"]], Path(place), rounds)
    return having - without


def imported() -> list[str]:
    """Return the packages outside the standard library that importing the package imports."""
    code = (
        "import sys, json; before = set(sys.modules); import arkor_proto;"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(json.dumps(sorted(names - sys.stdlib_module_names)))"
    )
    names: list[str] = json.loads(_run(["-c", code], _ROOT))
    return names


def _fastest(commands: Sequence[Sequence[str]], where: Path, rounds: int) -> list[float]:
    """Return the shortest CPU time of each Python command, in milliseconds."""
    took = [[_milliseconds(command, where) for command in commands] for _ in range(rounds + 1)]
    return [min(each) for each in zip(*took[1:], strict=True)]  # the first round fills caches


def _milliseconds(command: Sequence[str], where: Path) -> float:
    before = _spent_by_children()
    _run(command, where)
    return (_spent_by_children() - before) * 1000


def _spent_by_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _run(command: Sequence[str], where: Path) -> bytes:
    call = [sys.executable, *command]
    return subprocess.run(call, check=True, env=_environment(), cwd=where, stdout=-1).stdout


def _environment() -> Mapping[str, str]:
    not_ours = {"PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS"}
    kept = {name: value for name, value in os.environ.items() if name not in not_ours}
    return {**kept, "PYTHONPATH": str(_ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def rows(rounds: int = ROUNDS) -> list[str]:
    """Return the rows about start-up for the table of `session.py`."""
    package, attrs = import_milliseconds(rounds)
    beside = f"{package / attrs:.2f} times attrs alone"
    return [
        f"| import, over bare Python | {package:.0f} ms, {beside} | ≤ 55 ms |",
        f"| the plugin adds to pytest | {plugin_milliseconds(rounds):.0f} ms | ≤ 20 ms |",
        f"| pulls in | {', '.join(imported())} | attrs alone |",
    ]
