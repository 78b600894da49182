"""What is fuzzed, and the inputs that are kept: the corpus of each target, in a folder of its name."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final

from attrs import frozen

HERE: Final = Path(__file__).parent
TARGETS: Final = ("parser", "chunks", "receive", "scenario", "case", "kit_files", "admin")


@frozen
class Target:
    """One target: a function that raises for an input that is not dealt with as it should be."""

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterator[bytes]]
    tokens: Sequence[bytes]
    longest: int


def target_of(name: str) -> Target:
    """Load a target."""
    module = import_module(f"tests.fuzz.targets.{name}")
    return Target(name, module.target, module.seeds, module.TOKENS, module.LONGEST)


def corpus_of(name: str, home: Path = HERE) -> Path:
    """Return the folder of a target's corpus."""
    return home / "corpus" / name


def files_of(name: str, home: Path = HERE) -> list[Path]:
    """Return the files of a target's corpus, in the order of their names."""
    folder = corpus_of(name, home)
    return sorted(folder.iterdir()) if folder.is_dir() else []


@frozen
class Replayed:
    """What came of replaying inputs."""

    inputs: int
    seconds: float
    """Of CPU time."""
    found: Sequence[tuple[str, Exception]]
    """Which input was not dealt with as it should be, and what was raised."""


def replayed(target: Target, inputs: Iterable[tuple[str, bytes]]) -> Replayed:
    """Replay inputs, each with its name."""
    begun = time.process_time()
    found: list[tuple[str, Exception]] = []
    count = 0
    for name, data in inputs:
        count += 1
        try:
            target.run(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            found.append((name, error))
    return Replayed(count, time.process_time() - begun, found)


def inputs_of(target: Target, home: Path = HERE) -> Iterator[tuple[str, bytes]]:
    """Yield the corpus of a target and its seeds; raise OSError for a file that cannot be read."""
    for path in files_of(target.name, home):
        yield str(path), path.read_bytes()
    for number, data in enumerate(target.seeds(), 1):
        yield f"seed {number} of {target.name}", data
