"""Fuzz one target for some time, keep what is new, and minimise the corpus."""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from tests.fuzz.corpus import HERE, Target, corpus_of, files_of

ROOT: Final = HERE.parents[1]
_KEPT: Final = re.compile(r"[0-9a-f]{40}")
"""The name of a file that the fuzzer has written; one of another name is never taken away."""
_MERGED: Final = re.compile(r"MERGE-OUTER: \d+ new files")
_HANGS: Final = 20
"""Seconds after which an input is a finding of its own."""
_MEMORY: Final = 1500
"""MiB after which an input is one."""


class FuzzerError(Exception):
    """The fuzzer itself ended in an error."""


@frozen(kw_only=True)
class Fuzzed:
    """What came of it."""

    target: str
    executions: int
    seconds: float
    """How long it fuzzed, without minimising the corpus."""
    corpus: int
    corpus_bytes: int
    findings: Sequence[Path]
    why: str
    """What was raised, or what else was wrong."""

    @property
    def per_second(self) -> float:
        """How many inputs were tried in a second."""
        return self.executions / max(self.seconds, 0.001)

    @property
    def figures(self) -> Mapping[str, str | int | float]:
        """The same as data."""
        return {
            "target": self.target,
            "executions": self.executions,
            "executions_per_second": round(self.per_second, 1),
            "corpus_files": self.corpus,
            "corpus_bytes": self.corpus_bytes,
            "findings": len(self.findings),
            "seconds": round(self.seconds, 1),
        }

    def __str__(self) -> str:
        return (
            f"{self.target}: {self.executions} executions, {self.per_second:.0f}/s, "
            f"{self.corpus} files and {self.corpus_bytes} bytes in the corpus, "
            f"{len(self.findings)} findings, {self.seconds:.0f} s"
        )


def fuzz(target: Target, seconds: int, seed: int, home: Path = HERE) -> Fuzzed:
    """Fuzz for some seconds; what is new goes into the corpus, unless something was found.

    Raises FuzzerError, and OSError for files that cannot be read or written.
    """
    for path in files_of(target.name, home):
        path.read_bytes()  # what the fuzzer cannot read, it would pass over
    corpus, folder = corpus_of(target.name, home), home / "findings" / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    before = {*folder.iterdir()}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        work = Path(name)
        seeds, new = work / "seeds", work / "new"
        _write_seeds(target, seeds)
        new.mkdir()
        words = work / "words"
        words.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens))
        begun = time.monotonic()
        status, said = _run(
            target,
            work / "log",
            *(f"-max_total_time={seconds}", f"-seed={seed}", f"-dict={words}"),
            *(f"-max_len={target.longest}", f"-artifact_prefix={folder}/"),
            *(new, corpus, seeds),
        )
        spent = time.monotonic() - begun
        findings = sorted({*folder.iterdir()} - before)
        if status != 0 and not findings:
            raise FuzzerError(_ended(target, status, said))
        if not findings:
            _minimise(target, seeds, work / "log", new, corpus)
    kept = files_of(target.name, home)
    return Fuzzed(
        target=target.name,
        executions=_executions(said),
        seconds=spent,
        corpus=len(kept),
        corpus_bytes=sum(path.stat().st_size for path in kept),
        findings=findings,
        why=_why(said) if findings else "",
    )


def _write_seeds(target: Target, folder: Path) -> None:
    folder.mkdir()
    for data in target.seeds():
        name = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        (folder / name).write_bytes(data)


def _minimise(target: Target, seeds: Path, log: Path, new: Path, corpus: Path) -> None:
    """Replace the corpus by the smallest inputs that reach what the seeds do not.

    How often a line is reached does not matter here: the corpus would be ten times as large.
    """
    before = {path.name for path in seeds.iterdir()}
    status, said = _run(target, log, "-merge=1", "-use_counters=0", seeds, new, corpus)
    if status != 0 or not _MERGED.search(said):
        raise FuzzerError(_ended(target, status, said))
    for path in corpus.iterdir():
        if _KEPT.fullmatch(path.name):
            path.unlink()
    for path in seeds.iterdir():
        if path.name not in before:
            (corpus / path.name).write_bytes(path.read_bytes())


def _run(target: Target, log: Path, *arguments: str | Path) -> tuple[int, str]:
    """Run the fuzzer; return its status and what it printed."""
    common = (f"-timeout={_HANGS}", f"-rss_limit_mb={_MEMORY}", "-print_final_stats=1")
    command = [sys.executable, "-P", "-m", "tests.fuzz.fuzzer", target.name, *common]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with log.open("wb") as output:
        # In a session of its own, so that a Ctrl-C reaches this process alone.
        child = subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = child.wait()
        finally:
            child.kill()
            child.wait()
    return status, log.read_text("utf-8", errors="replace")


def _ended(target: Target, status: int, said: str) -> str:
    last = "".join(said.rstrip().splitlines()[-1:])
    return f"{target.name}: the fuzzer ended with status {status}: {last[:300]}"


def _executions(said: str) -> int:
    found = re.search(r"stat::number_of_executed_units:\s+(\d+)", said)
    return int(found[1]) if found else 0


def _why(said: str) -> str:
    """Return what Python said of the exception, or libFuzzer of what else went wrong."""
    lines = said.splitlines()
    starts = [n for n, line in enumerate(lines) if "Uncaught Python exception" in line]
    if starts:
        return lines[starts[0] + 1][:1000]
    return next((line for line in lines if "ERROR: libFuzzer" in line), "see the log above")


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)
