"""Draw how fleets come back: tries to connect per second, a line for each strategy, as SVG."""

from collections.abc import Sequence
from html import escape
from typing import Final

from conformance.simulate.fleet import FleetResult

_WIDTH: Final = 860
_HEIGHT: Final = 420
_LEFT: Final = 70
_BOTTOM: Final = 50
_TOP: Final = 40
_RIGHT: Final = 190
_COLOURS: Final = ("#7a7a7a", "#b3541e", "#2a6f97", "#2d6a4f", "#7b2d8b")
_TICKS: Final = 5
_TENTHS: Final = 10


def plot(results: Sequence[FleetResult]) -> str:
    """Return the drawing; its time begins when the streams break, and ends when 99 % are back."""
    until = max(1, *(int(result.back_after) + 1 for result in results))
    lines = [_per_second(result, until) for result in results]
    most = max(1, *(max(line) for line in lines))
    outage = results[0].outage
    title = f"{outage.clients:,} clients, an outage of {outage.seconds:g} s"
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box} font-family="sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="22" font-size="15">{escape(title)}: tries to connect per second</text>',
        *_axes(until, most),
    ]
    for number, (result, line) in enumerate(zip(results, lines, strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{_x(second, until):.1f},{_y(tries, most):.1f}" for second, tries in enumerate(line)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        )
        y = _TOP + 18 * number
        x = _WIDTH - _RIGHT + 20
        parts.append(f'<rect x="{x}" y="{y}" width="14" height="3" fill="{colour}"/>')
        name = escape(result.outage.strategy)
        parts.append(f'<text x="{x + 20}" y="{y + 6}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def _per_second(result: FleetResult, until: int) -> list[int]:
    return [
        sum(result.tries[second * _TENTHS + n] for n in range(_TENTHS)) for second in range(until)
    ]


def _x(second: float, until: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * second / max(1, until - 1)


def _y(tries: float, most: int) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * tries / most


def _axes(until: int, most: int) -> Sequence[str]:
    base, right = _y(0, most), _x(max(1, until - 1), until)
    parts = [
        f'<path d="M{_LEFT} {_TOP} V{base} H{right}" fill="none" stroke="#333"/>',
        f'<text x="{(_LEFT + right) / 2:.0f}" y="{_HEIGHT - 12}" text-anchor="middle">seconds</text>',
    ]
    for tick in range(_TICKS + 1):
        second, tries = (until - 1) * tick / _TICKS, most * tick / _TICKS
        x, y = _x(second, until), _y(tries, most)
        parts.append(
            f'<text x="{x:.0f}" y="{base + 18:.0f}" text-anchor="middle">{second:.0f}</text>'
        )
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{tries:,.0f}</text>')
    return parts
