"""Run the kit in a process of its own without importing it each time.

Hundreds of tests run the kit as its user does, and most of what each costs is imports and reading
the specification and the catalogue of cases. So one process that has done both waits here; for each
request it forks, and the child runs `main()` with the arguments, environment and files that it was
given. Python's start and that first reading are not tried in this way; what depends on them (`-P`, a
wrapper such as `prlimit`) starts a process from nothing.
"""

import atexit
import gc
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import frozen

from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement, load_requirements

LOADED: Final = (
    "conformance.__main__",
    "conformance.runner.probe",
    *(
        f"conformance.commands.{name}_command"
        for name in ("run", "report", "list", "show", "smoke", "explore", "diff")
    ),
)
_TIMEOUT: Final = 240
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@frozen
class Finished:
    """The output and the exit status of a process."""

    status: int
    out: str
    err: str


@cache
def _server(root: Path) -> subprocess.Popen[str]:
    """Start the process that forks; it ends when its input is closed."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.forked"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=root,
        text=True,
    )

    def end() -> None:
        server.communicate(timeout=_TIMEOUT)

    atexit.register(end)
    return server


def run_forked(arguments: Sequence[str], root: Path, environment: Mapping[str, str]) -> Finished:
    """Run the kit in a child of the process that has imported it, and wait for its end."""
    server = _server(root)
    assert server.stdin is not None
    assert server.stdout is not None
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        request = {
            "argv": [*arguments],
            "env": {**environment},
            "out": str(out),
            "err": str(err),
        }
        try:
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            status = int(server.stdout.readline())
        except BaseException:  # A test ran out of time; the next one gets a new server.
            server.kill()
            _server.cache_clear()
            raise
        return Finished(
            status, *(each.read_text("utf-8", "surrogateescape") for each in (out, err))
        )


def _child(arguments: Sequence[str], environment: Mapping[str, str], out: str, err: str) -> None:
    """Turn this process into the kit, with the given streams, environment and arguments."""
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, out, _NEW), (2, err, _NEW)):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1)
    importlib.import_module("conformance.__main__").main()


def _load() -> None:
    """Import the kit, and read once what every child would read again and none changes."""
    known = load_requirements()
    cases = load_cases(known)

    def requirements_again() -> Mapping[str, Requirement]:
        return known

    def cases_again(requirements: Mapping[str, Requirement]) -> tuple[Case, ...]:
        del requirements
        return cases

    for module in map(importlib.import_module, LOADED):
        if hasattr(module, "load_requirements"):
            module.__dict__["load_requirements"] = requirements_again
        if hasattr(module, "load_cases"):
            module.__dict__["load_cases"] = cases_again


def _serve() -> None:
    """Fork once for each line of input, and answer with the status of the child."""
    _load()
    gc.freeze()  # no child walks, and so copies, what they all share
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for line in requests:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _child(request["argv"], request["env"], request["out"], request["err"])
            sys.exit(0)
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
