"""Draws growth curves: the size on the x-axis, the cost on the y-axis, both logarithmic."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.benchmarks.peers.fitting import Growth
from tests.benchmarks.peers.growth import Curve
from tests.benchmarks.peers.known import OURS

_WIDTH: Final = 360
_HEIGHT: Final = 230
_LEFT: Final = 54
_RIGHT: Final = 10
_TOP: Final = 12
_BOTTOM: Final = 34
_KIB: Final = 1024


def drawing(curves: Sequence[Curve]) -> str:
    """Return an SVG with a line for each peer; ours, and those that grow too fast, are coloured."""
    grown = [(curve, curve.growth) for curve in curves if curve.growth is not None]
    points = [point for _, growth in grown for point in growth.points if point[1] > 0]
    if not points:
        return ""
    frame = _Frame(points)
    cost, axis = curves[0].cost, curves[0].axis
    label = f"{cost.capitalize()} by {axis}, on logarithmic scales: " + "; ".join(
        f"{curve.name} {growth.exponent:.2f}" for curve, growth in grown
    )
    lines = [_line(curve, growth, frame) for curve, growth in sorted(grown, key=_rank)]
    base = _HEIGHT - _BOTTOM
    return "\n".join(
        [
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}">',
            f'<path class="axis" d="M{_LEFT} {_TOP}V{base}H{_WIDTH - _RIGHT}"/>',
            *_labels(frame, cost),
            *lines,
            "</svg>",
        ]
    )


class _Frame:
    """Maps a size and a cost to a position in the drawing."""

    def __init__(self, points: Sequence[tuple[int, float]]) -> None:
        self.sizes = min(size for size, _ in points), max(size for size, _ in points)
        self.costs = min(cost for _, cost in points), max(cost for _, cost in points)

    def at(self, size: float, cost: float) -> tuple[float, float]:
        right = _share(size, *self.sizes) * (_WIDTH - _LEFT - _RIGHT)
        up = _share(cost, *self.costs) * (_HEIGHT - _TOP - _BOTTOM)
        return _LEFT + right, _HEIGHT - _BOTTOM - up


def _share(value: float, least: float, most: float) -> float:
    span = math.log(most / least)
    return math.log(value / least) / span if span else 0.5


def _tone(curve: Curve, growth: Growth) -> str:
    if growth.is_superlinear:
        return "steep"
    return "own" if curve.name.startswith(OURS) else "peer"


def _rank(each: tuple[Curve, Growth]) -> int:
    return ("peer", "steep", "own").index(_tone(*each))


def _line(curve: Curve, growth: Growth, frame: _Frame) -> str:
    points = " ".join(
        "{:.1f},{:.1f}".format(*frame.at(*point)) for point in growth.points if point[1] > 0
    )
    title = escape(f"{curve.name}: {growth}, {growth.kind}")
    tone = _tone(curve, growth)
    return f'<polyline class="{tone}" points="{points}"><title>{title}</title></polyline>'


def _labels(frame: _Frame, cost: str) -> list[str]:
    base = _HEIGHT - _BOTTOM
    write = _seconds if cost == "time" else _bytes
    (small, large), (cheap, dear) = frame.sizes, frame.costs
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    return [
        f'<text x="{_LEFT}" y="{base + 18}">{small:,}</text>',
        f'<text x="{middle:.0f}" y="{base + 18}" text-anchor="middle">size</text>',
        f'<text x="{_WIDTH - _RIGHT}" y="{base + 18}" text-anchor="end">{large:,}</text>',
        f'<text x="{_LEFT - 6}" y="{base}" text-anchor="end">{write(cheap)}</text>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{write(dear)}</text>',
    ]


def _seconds(value: float) -> str:
    for factor, unit in ((1.0, "s"), (1e3, "ms"), (1e6, "µs")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {unit}"
    return f"{value * 1e9:.3g} ns"


def _bytes(value: float) -> str:
    for factor, unit in ((_KIB**2, "MiB"), (_KIB, "KiB")):
        if value >= factor:
            return f"{value / factor:.3g} {unit}"
    return f"{value:.0f} B"
