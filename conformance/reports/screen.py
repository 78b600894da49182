"""Print safely to the terminal with rich.

Text from a client must not move the cursor, set the window title or change colours, so control
characters are escaped just before printing. `plain.say` does the same for plain lines.
"""

from collections.abc import Iterable
from typing import Final

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

from conformance.plain import visible

_LEAST_WIDTH: Final = 60
"""The minimum width of a page, in columns; a narrower table has no room for the verdict."""


class Screen(Console):
    """A rich console that emits its own control codes but escapes those in the text it prints."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as rich does, but escape the control characters in the text of every segment."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


class Page(Screen):
    """A screen that keeps reports readable on a narrow terminal.

    It lets the terminal wrap lines that are too long, whereas rich would cut them off.
    """

    @property
    def size(self) -> ConsoleDimensions:
        """The size of the terminal, but never narrower than a table needs."""
        found = super().size
        return ConsoleDimensions(max(found.width, _LEAST_WIDTH), found.height)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size
