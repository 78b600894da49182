"""Formats a comparison as one HTML page that needs no network and no other file.

It has the same colours as the pages of the conformance kit.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from markupsafe import Markup

from conformance.reports import standalone
from tests.benchmarks.peers.comparison import Comparison
from tests.benchmarks.peers.curves import drawing
from tests.benchmarks.peers.fitting import LARGEST, LINEAR
from tests.benchmarks.peers.known import OURS
from tests.benchmarks.peers.markdown import (
    CLIENT_HEAD,
    client_rows,
    growth_tables,
    parser_rows,
    summary,
)

_HERE: Final = Path(__file__).parent
_COLOURS: Final = Path(standalone.__file__).with_name("page") / "page.css"


def page(found: Comparison) -> str:
    """Return the HTML of the page; every text from a peer is escaped."""
    head, rows = parser_rows(found) if found.parser else ([], [])
    return standalone.rendered(
        "page.html",
        _COLOURS.read_text("utf-8") + (_HERE / "page.css").read_text("utf-8"),
        folder=_HERE,
        found=found,
        own=OURS,
        summary=summary(found).removeprefix("peers: "),
        parser_head=head,
        parser_rows=[[row[0].replace("**", ""), *row[1:]] for row in rows],
        client_head=CLIENT_HEAD,
        clients=[(row, client_rows(found, row)) for row in found.client],
        growth=list(growth_tables(found)),
        drawings=list(_drawings(found)),
        linear=LINEAR,
        largest=LARGEST,
        split=_split,
    )


def _drawings(found: Comparison) -> Iterator[tuple[str, str, list[str], Markup]]:
    for cost in ("time", "memory"):
        of_cost = [curve for curve in found.curves if curve.cost == cost]
        for axis in dict.fromkeys(curve.axis for curve in of_cost):
            curves = [curve for curve in of_cost if curve.axis == axis]
            if svg := drawing(curves):
                svg_ = Markup(svg)  # noqa: S704 - `drawing` escapes its texts
                steep = [curve.name for curve in curves if curve in found.superlinear]
                yield f"{cost.capitalize()} by {axis}", curves[0].title, steep, svg_


def _split(text: str) -> list[tuple[str, str]]:
    """Return the pieces of a cell and the class of each: bold text in Markdown is a warning."""
    pieces = text.split("**")
    return [(piece, "bad" if n % 2 else "") for n, piece in enumerate(pieces) if piece]
