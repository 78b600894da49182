"""Run the commands in processes of their own without importing them each time.

Hundreds of tests run a command as its user does, and most of what each costs is imports and reading
the specification and the catalogue of cases. So one process that has done both waits here; for each
request it forks, and the child runs `main()` with the given arguments, environment and files. This
skips Python's own start, so tests that depend on it (`-P`, a wrapper such as `prlimit`) start a new
process instead.
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

import anyio
from attrs import frozen

from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement, load_requirements

ROOT: Final = Path(__file__).parents[1]
MAINS: Final = {
    "arkor-proto": "arkor_proto.cli.main",
    "arkor-mock": "mock_server.__main__",
    "arkor-conformance": "conformance.__main__",
}
LOADED: Final = (
    *MAINS.values(),
    "arkor_proto.cli.commands",
    "mock_server.command_line",
    *(
        f"conformance.commands.{name}_command"
        for name in (
            *("run", "backend", "report", "merge", "list", "show", "smoke", "explore", "diff"),
            *("simulate", "states", "mutants", "coverage"),
        )
    ),
)
CLOSED: Final = "closed"
"""The output of a command that was started with `>&-`."""
HEAD: Final = "head"
"""The output of a command whose reader has left, as after `| head`."""
_TIMEOUT: Final = 240
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


@frozen
class Finished:
    """What a process left behind."""

    status: int
    out: str
    err: str


@cache
def _server() -> subprocess.Popen[str]:
    """Start the process that forks; it ends when its input does."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.forked"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )

    def end() -> None:
        server.communicate(timeout=_TIMEOUT)

    atexit.register(end)
    return server


def run_forked(
    command: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    out: str = "",
) -> Finished:
    """Run a command in a child of the process that has imported it; return when it has ended.

    Its standard output is kept, unless `out` is CLOSED, HEAD or the path of a file.
    """
    server = _server()
    assert server.stdin is not None
    assert server.stdout is not None
    with TemporaryDirectory() as folder:
        kept, err = Path(folder, "out"), Path(folder, "err")
        kept.touch()
        request = {
            "main": MAINS[command],
            "argv": [*arguments],
            "env": {**environment},
            "out": out or str(kept),
            "err": str(err),
        }
        try:
            server.stdin.write(json.dumps(request) + "\n")
            server.stdin.flush()
            status = int(server.stdout.readline())
        except BaseException:  # a test that ran out of time: the next one gets a new server
            server.kill()
            _server.cache_clear()
            raise
        return Finished(
            status, *(each.read_text("utf-8", "surrogateescape") for each in (kept, err))
        )


def _child(main: str, arguments: Sequence[str], out: str, err: str) -> None:
    """Become the command: its streams, its arguments."""
    for number, name, flags in ((0, os.devnull, os.O_RDONLY), (1, out, _NEW), (2, err, _NEW)):
        if name == CLOSED:
            os.close(number)
            continue
        if name == HEAD:
            reader, opened = os.pipe()
            os.close(reader)
        else:
            opened = os.open(name, flags, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv[1:] = arguments
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdin = os.fdopen(0)
    sys.stdout = None if out == CLOSED else os.fdopen(1, "w", encoding=encoding)
    sys.stderr = os.fdopen(2, "w", buffering=1, encoding=encoding)
    sys.exit(importlib.import_module(main).main())


def _load() -> None:
    """Import the kit, and read once what every child would read again and none changes."""
    cases = load_cases(load_requirements())

    def cases_again(requirements: Mapping[str, Requirement]) -> tuple[Case, ...]:
        del requirements
        return cases

    for module in map(importlib.import_module, LOADED):
        if hasattr(module, "load_cases"):
            module.__dict__["load_cases"] = cases_again
    anyio.run(anyio.sleep, 0)  # imports what every run imports late


def _serve() -> None:
    """Fork once for each line of input, and answer with the status of the child."""
    _load()
    gc.collect()
    gc.freeze()  # a child that looked for garbage among the modules would copy them all
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    for line in requests:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            os.environ.clear()
            os.environ.update(request["env"])
            _child(request["main"], request["argv"], request["out"], request["err"])
        _, status = os.waitpid(child, 0)
        answers.write(f"{os.waitstatus_to_exitcode(status)}\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
