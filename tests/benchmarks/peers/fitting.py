"""How a cost grows with a size: the exponent of a power law, fitted by least squares."""

import math
import statistics
from collections.abc import Sequence
from typing import Final

from attrs import field, frozen

LARGEST: Final = 4
"""The number of points to fit: at small sizes, fixed costs hide those that depend on the size."""
LINEAR: Final = 1.3
QUADRATIC: Final = 1.7
_FLAT: Final = 0.3


@frozen
class Growth:
    """A fitted power law: `cost` is proportional to `size` to the power of `exponent`."""

    points: tuple[tuple[int, float], ...] = field(converter=tuple[tuple[int, float], ...])
    exponent: float
    error: float
    """The standard error of the exponent."""

    @property
    def is_superlinear(self) -> bool:
        """Whether the cost grows faster than the size, by more than twice the error."""
        return self.exponent - 2 * self.error > LINEAR

    @property
    def kind(self) -> str:
        """The kind of growth: "flat", "linear", "worse than linear" or "quadratic"."""
        if self.is_superlinear:
            return "quadratic" if self.exponent >= QUADRATIC else "worse than linear"
        return "flat" if self.exponent < _FLAT else "linear"

    def __str__(self) -> str:
        return f"{self.exponent:.2f} ± {self.error:.2f}"


def fitted(points: Sequence[tuple[int, float]]) -> Growth | None:
    """Fit the logarithms of the largest points; return None if there are fewer than three."""
    chosen = [(size, cost) for size, cost in points if cost > 0][-LARGEST:]
    if len(chosen) < 3:
        return None
    x, y = ([math.log(each) for each in column] for column in zip(*chosen, strict=True))
    exponent, intercept = statistics.linear_regression(x, y)
    residues = (b - intercept - exponent * a for a, b in zip(x, y, strict=True))
    mean = statistics.fmean(x)
    spread = math.fsum((a - mean) ** 2 for a in x)
    scatter = math.fsum(each * each for each in residues) / (len(chosen) - 2)
    return Growth([*points], exponent, math.sqrt(scatter / spread))
