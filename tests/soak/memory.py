"""How much memory a process has and how many descriptors, and whether its memory grows.

What is in use tells of a leak: the objects of Python, and the bytes that malloc has handed out. Resident
memory also has the gaps between them, which move for a long time after the load has become steady.

Samples of memory are not independent of each other: they move in steps and drift. So the line is fitted
to the means of a few equal parts of the time, and the interval around its slope is that of Student.
"""

import ctypes
import gc
import os
import sys
from array import array
from collections.abc import Sequence
from enum import Enum
from math import sqrt
from pathlib import Path
from statistics import fmean, linear_regression
from typing import Final

from attrs import define, field, frozen

PARTS: Final = 20
_STUDENT: Final = 2.101
"""The 97.5% point of Student's distribution with 18 degrees of freedom: 20 parts, two parameters."""
_HOUR: Final = 3600.0
FLAT: Final = 0.10
"""Memory that grows by less than this share of its level in an hour is flat."""
_SHORT: Final = 60.0
"""A measured time of fewer seconds shows only a fast leak."""
_FAST: Final = 0.10
"""A fast leak: this share of the level, within the measured time."""


class Kind(Enum):
    """What is measured, and what a number of it means."""

    OBJECTS = "objects"
    """Blocks of Python's allocator: small objects."""
    HEAP = "bytes of malloc"
    """Large objects, and those of C."""
    RESIDENT = "resident bytes"
    """It may grow by a tenth in the measured time, as the gaps between objects do."""


class Growth(Enum):
    """What the slope shows."""

    FLAT = "flat"
    BOUNDED = "bounded"
    """Resident memory that has grown by less than a tenth."""
    GROWING = "growing"
    UNDECIDED = "not decided: the run is too short"


@frozen
class Slope:
    """A level, and by which share of it memory grows in an hour, with a 95% interval."""

    kind: Kind
    level: float
    """The mean, in bytes or in blocks."""
    hourly: float
    low: float
    high: float
    seconds: float
    """How long it was measured."""

    @property
    def growth(self) -> Growth:
        """What it shows; it takes an interval that is all on one side of the bound."""
        fast = _FAST * _HOUR / self.seconds
        if self.kind is Kind.RESIDENT and self.low <= fast:
            return Growth.FLAT if self.high <= FLAT else Growth.BOUNDED
        if self.low > (FLAT if self.seconds >= _SHORT else fast):
            return Growth.GROWING
        return Growth.FLAT if self.high <= FLAT else Growth.UNDECIDED


def fitted(samples: Sequence[tuple[float, float]], kind: Kind = Kind.OBJECTS) -> Slope | None:
    """Fit a line to (seconds, memory) by least squares; None if there are too few samples, or none but 0."""
    parts = _means(samples)
    if len(parts) < PARTS or not any(size for _, size in parts):
        return None
    times = [time for time, _ in parts]
    sizes = [size for _, size in parts]
    slope, start = linear_regression(times, sizes)
    middle, level = fmean(times), fmean(sizes)
    left = sum((size - start - slope * time) ** 2 for time, size in parts)
    spread = sum((time - middle) ** 2 for time in times)
    around = _STUDENT * sqrt(left / (PARTS - 2) / spread)
    hourly = _HOUR / level
    seconds = samples[-1][0] - samples[0][0]
    low, high = (slope - around) * hourly, (slope + around) * hourly
    return Slope(kind, level, slope * hourly, low, high, seconds)


def _means(samples: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(samples) < PARTS:
        return []
    edges = [len(samples) * part // PARTS for part in range(PARTS + 1)]
    parts = [samples[edges[part] : edges[part + 1]] for part in range(PARTS)]
    return [(fmean(time for time, _ in part), fmean(size for _, size in part)) for part in parts]


@define
class Series:
    """Samples of one quantity after the warm-up, kept as bare numbers: objects would count as a leak."""

    whose: str
    kind: Kind
    _times: "array[float]" = field(factory=lambda: array("d"), init=False)
    _sizes: "array[float]" = field(factory=lambda: array("d"), init=False)

    def add(self, seconds: float, size: float) -> None:
        """Add a sample."""
        self._times.append(seconds)
        self._sizes.append(size)

    @property
    def slope(self) -> Slope | None:
        """The line through the samples; None if they are too few."""
        return fitted(list(zip(self._times, self._sizes, strict=True)), self.kind)


@frozen
class InUse:
    """What a process uses of its memory."""

    objects: int
    heap: int
    """In bytes; 0 where the C library does not tell (it is not glibc)."""

    @classmethod
    def now(cls) -> "InUse":
        """Return what this process uses, once its cyclic garbage is collected.

        What it does not use is given back to the system, where the C library can.
        """
        gc.collect()
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim"):
            library.malloc_trim(0)
        if not hasattr(library, "mallinfo2"):
            return cls(sys.getallocatedblocks(), 0)
        library.mallinfo2.restype = _Mallinfo2
        found = library.mallinfo2()
        return cls(sys.getallocatedblocks(), int(found.uordblks) + int(found.hblkhd))


class _Mallinfo2(ctypes.Structure):
    """`struct mallinfo2` of malloc.h: what is in use is `uordblks`, and `hblkhd` in mappings."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def resident(process: int) -> int:
    """Return the resident memory of a process, in bytes."""
    pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(process: int) -> int:
    """Return how many descriptors a process has open."""
    return len(os.listdir(f"/proc/{process}/fd"))  # noqa: PTH208 - names are enough
