"""The screen that rich lays out.

A client's words must not move the cursor, set a title or recolour it: control bytes are spelled out
right before they are written. Plain lines are printed by `streams.say`, which does the same.
"""

from collections.abc import Iterable
from typing import Final

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

from conformance.plain import visible

_LEAST_WIDTH: Final = 60
"""Columns of a page; with fewer, a table has no room for a verdict."""


class Screen(Console):
    """A console of rich: its own control codes pass, those in a text are spelled out."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as rich does, with the text of every segment made visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


class Page(Screen):
    """A screen for a report, which stays legible however narrow the terminal says it is.

    A terminal wraps a line that is too long; what rich leaves out for want of room is lost.
    """

    @property
    def size(self) -> ConsoleDimensions:
        """The size of the terminal, but never narrower than a table needs."""
        found = super().size
        return ConsoleDimensions(max(found.width, _LEAST_WIDTH), found.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size
