"""Choose the order of the cases and, unless the user sets it, the number of concurrent drivers.

In virtual time, two drivers keep the kit busy. A client that really sleeps leaves the processor
idle, so many more drivers help, up to the point where the kit itself is always busy or where
starting more drivers takes longer than they save. Memory, processors and open files limit the
number of drivers.
"""

import math
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Final

from attrs import frozen

from conformance.runner.player import Assignment
from conformance.verdict.time_modes import Timing
from conformance.verdict.waiting import length

FIRST: Final = 2
"""The number of drivers that are started before it is known whether they have a virtual clock."""
MOST: Final = 64
_EACH_PROCESSOR: Final = 16
_FILES: Final = 8
"""The number of open files per driver: its pipes and its client's connections."""
_KIT: Final = 0.01
"""The time that the kit itself spends on a case, in seconds."""
_GROWTH: Final = 2
"""The factor by which a driver's use of memory may grow after it has started."""
_UNKNOWN: Final = 200 * 2**20
"""The memory that a driver is assumed to use, in bytes, if the system does not report it."""
_AVAILABLE: Final = re.compile(r"(?m)^MemAvailable:\s+(\d+) kB$")
_GROUP: Final = Path("/sys/fs/cgroup")


@frozen(kw_only=True)
class Room:
    """What drivers can use: memory in bytes (None if unknown), processors and open files."""

    memory: int | None
    processors: int
    files: int

    def most(self, each: int | None) -> int:
        """Return how many drivers fit if a started driver uses `each` bytes (None if unknown)."""
        needed = _UNKNOWN if each is None else max(each, 1) * _GROWTH
        fitting = MOST if self.memory is None else self.memory // 2 // needed
        return max(
            FIRST, min(MOST, fitting, self.processors * _EACH_PROCESSOR, self.files // _FILES)
        )


def here(files: int) -> Room:
    """Return the resources of this machine; the kit may open `files` more files."""
    known = [each for each in (_free_memory(), _left_in_group()) if each is not None]
    return Room(memory=min(known, default=None), processors=_processors(), files=files)


def _processors() -> int:
    """Return the number of processors that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def helpful(waits: Sequence[float], starting: float, *, starts: int = 0) -> int:
    """Return how many drivers are useful for cases that wait for `waits` seconds.

    More drivers do not help once the waits, divided among them, take less time than the kit's own
    work or the longest wait. A driver takes about `starting` seconds to start, and `FIRST` of them
    start at a time; `starts` is how often the run must start a driver, however many run at once.
    """
    total = sum(waits)
    busy = max(len(waits) * _KIT, starts * starting / FIRST, max(waits, default=0.0), _KIT)
    worth_starting = math.sqrt(total * FIRST / max(starting, _KIT))
    return max(FIRST, min(MOST, math.ceil(min(total / busy, worth_starting))))


def longest_early(rest: Iterable[Assignment], timing: Timing) -> Iterator[Assignment]:
    """Yield the remaining cases in an order in which all drivers finish at about the same time.

    Long cases come early, but alternate with cases in their usual order. If all the long cases came
    first, a client that hangs only in long cases would be mistaken for one that always hangs.
    """
    usual = list(rest)
    longest = sorted(usual, key=lambda each: length(each.case, timing.divisor), reverse=True)
    mixed = chain.from_iterable(zip(longest, usual, strict=True))
    return iter({each.place: each for each in mixed}.values())


def _free_memory() -> int | None:
    """Return the free memory in bytes; None if the system does not report it."""
    if sys.platform == "linux":
        with suppress(OSError):
            found = _AVAILABLE.search(Path("/proc/meminfo").read_text("ascii"))
            return int(found[1]) * 1024 if found else None
    if sys.platform != "win32":
        with suppress(ValueError, OSError):  # not every system reports it
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return None


def _left_in_group() -> int | None:
    """Return how many bytes the control group (Linux container) has left; None if unlimited."""
    with suppress(OSError, ValueError):  # no such file, or "max"
        most = int((_GROUP / "memory.max").read_text("ascii"))
        return max(most - int((_GROUP / "memory.current").read_text("ascii")), 0)
    return None
