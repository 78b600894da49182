"""Chart how fleets reconnect, as SVG: attempts per second, with one panel per strategy."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Final

from attrs import frozen

from conformance.simulate.fleet import TENTH, FleetResult

_WIDTH: Final = 900
_LEFT: Final = 64
_RIGHT: Final = 220
_TOP: Final = 76
_BOTTOM: Final = 48
_PANEL: Final = 84
_GAP: Final = 18
_TICKS: Final = 8
_BARS: Final = (0.1, 1.0, 10.0, 60.0, 600.0)
"""The possible widths of a bar, in seconds: the narrowest that gives few enough bars is used."""
_MOST_BARS: Final = 650
_STYLE: Final = """
  svg { --page: #fff; --ink: #1f2328; --quiet: #59636e; --line: #d1d9e0; --away: #f1f3f5;
        --accepted: #1f77b4; --refused: #f0a35e; }
  @media (prefers-color-scheme: dark) {
    svg { --page: #0d1117; --ink: #e6edf3; --quiet: #9198a1; --line: #30363d; --away: #1c2128;
          --accepted: #58a6ff; --refused: #9a5a1e; }
  }
  .page { fill: var(--page); }
  text { fill: var(--ink); font: 13px sans-serif; }
  .title { font-size: 16px; font-weight: bold; }
  .name { font-weight: bold; }
  .quiet { fill: var(--quiet); font-size: 12px; }
  .away { fill: var(--away); }
  .accepted { fill: var(--accepted); }
  .refused { fill: var(--refused); }
  .line { stroke: var(--line); fill: none; }
  .back { stroke: var(--ink); stroke-dasharray: 4 3; fill: none; }
"""


@frozen(kw_only=True)
class _Scale:
    """Converts times and rates to coordinates."""

    until: float
    """The end of the time axis, in seconds."""
    decades: int
    """The rate axis is logarithmic; its top is ten to the power of `decades`."""
    bar: float
    """The width of a bar, in seconds."""

    def x(self, second: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(second / self.until, 1.0)

    def height(self, rate: float) -> float:
        return _PANEL * math.log10(max(rate, 1.0)) / self.decades

    def rates(self, seconds: Mapping[int, int]) -> Mapping[int, float]:
        """Convert counts per tenth of a second to the rate per second of each bar."""
        tenths = round(self.bar / TENTH)
        counts: Counter[int] = Counter()
        for tenth, count in seconds.items():
            counts[tenth // tenths] += count
        last = math.ceil(self.until / self.bar)
        return {bar: n / self.bar for bar, n in sorted(counts.items()) if bar < last}


def plot(results: Sequence[FleetResult]) -> str:
    """Return the chart; it ends shortly after 99% of the slowest fleet's clients are back."""
    scale = _scaled(results)
    height = _TOP + len(results) * (_PANEL + _GAP) + _BOTTOM - _GAP
    title = f"{results[0].outage}: how they reconnect"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}"/>',
        f'<text class="title" x="{_LEFT}" y="24">{escape(title)}</text>',
        *_legend(scale),
    ]
    for number, result in enumerate(results):
        parts += _panel(result, scale, _TOP + number * (_PANEL + _GAP) + _PANEL)
    return "\n".join([*parts, *_seconds(scale, height - _BOTTOM), "</svg>", ""])


def _scaled(results: Sequence[FleetResult]) -> _Scale:
    until = max(1.0, *(result.nearly_all_back * 1.05 for result in results))
    bar = next((each for each in _BARS if until / each <= _MOST_BARS), _BARS[-1])
    scale = _Scale(until=until, decades=1, bar=bar)
    most = max(rate for result in results for rate in scale.rates(result.tries).values())
    return _Scale(until=until, decades=max(1, math.ceil(math.log10(most))), bar=bar)


def _legend(scale: _Scale) -> Iterator[str]:
    y = 50
    yield (
        f'<text class="quiet" x="{_LEFT}" y="{y}">attempts per second, on a logarithmic scale; '
        f"a bar covers {scale.bar:g} s</text>"
    )
    for x, name in ((_WIDTH - _RIGHT - 180, "accepted"), (_WIDTH - _RIGHT - 80, "refused")):
        yield f'<rect class="{name}" x="{x}" y="{y - 11}" width="14" height="12"/>'
        yield f'<text class="quiet" x="{x + 20}" y="{y}">{name}</text>'


def _panel(result: FleetResult, scale: _Scale, base: float) -> Iterator[str]:
    """Draw the panel of one fleet; `base` is the y coordinate of its lower edge."""
    right = scale.x(scale.until)
    away = scale.x(result.outage.seconds)
    if away > _LEFT:
        yield _rectangle("away", _LEFT, away, base, _PANEL)
    for power in range(scale.decades + 1):
        y = base - scale.height(10**power)
        yield f'<path class="line" d="M{_LEFT} {y:.1f} H{right:.1f}"/>'
        yield (
            f'<text class="quiet" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">'
            f"{_short(10**power)}</text>"
        )
    for name, counts in (("refused", result.tries), ("accepted", result.returns)):
        yield f'<path class="{name}" d="{_bars(scale, counts, base)}"/>'
    x = scale.x(result.nearly_all_back)
    yield f'<path class="back" d="M{x:.1f} {base:.1f} V{base - _PANEL:.1f}"/>'
    clients = result.outage.clients
    lines = (
        ("name", result.outage.strategy),
        ("quiet", f"peak after the outage: {result.peak(1.0, result.outage.seconds):,}/s"),
        ("quiet", f"99% back {result.back_after:,.1f} s later"),
        (
            "quiet",
            f"{result.attempts / clients:.2f} attempts each, {result.wasted / clients:.2f} wasted",
        ),
    )
    for number, (style, text) in enumerate(lines):
        y = base - _PANEL + 14 + number * 20
        yield f'<text class="{style}" x="{right + 14:.0f}" y="{y:.0f}">{escape(text)}</text>'


def _bars(scale: _Scale, counts: Mapping[int, int], base: float) -> str:
    """Return an SVG path with the bars; each bar is wide and high enough to be visible."""
    parts: list[str] = []
    for bar, rate in scale.rates(counts).items():
        left, right = scale.x(bar * scale.bar), scale.x((bar + 1) * scale.bar)
        top = base - max(scale.height(rate), 1.5)
        parts.append(f"M{left:.1f} {base:.1f}V{top:.1f}H{max(right, left + 1):.1f}V{base:.1f}Z")
    return "".join(parts)


def _seconds(scale: _Scale, y: float) -> Iterator[str]:
    step = _step(scale.until / _TICKS)
    for number in range(math.floor(scale.until / step) + 1):
        x = scale.x(number * step)
        yield f'<path class="line" d="M{x:.1f} {y:.1f} v5"/>'
        yield (
            f'<text class="quiet" x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">'
            f"{number * step:,g}</text>"
        )
    middle = (_LEFT + scale.x(scale.until)) / 2
    yield (
        f'<text class="quiet" x="{middle:.0f}" y="{y + 38:.0f}" text-anchor="middle">'
        "seconds since the streams broke; the outage is shaded, "
        "and the dashed line marks when 99% of clients are back</text>"
    )


def _step(least: float) -> float:
    """Round `least` up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * 0.999)


def _short(number: int) -> str:
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number // size}{letter}"
    return str(number)


def _rectangle(style: str, left: float, right: float, base: float, height: float) -> str:
    return (
        f'<rect class="{style}" x="{left:.1f}" y="{base - height:.1f}" '
        f'width="{right - left:.1f}" height="{height:.1f}"/>'
    )
