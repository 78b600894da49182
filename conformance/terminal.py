"""The screen that rich lays out.

A client's words must not move the cursor, set a title or recolour it: control bytes are spelled out
right before they are written. Plain lines are printed by `streams.say`, which does the same.
"""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from conformance.plain import visible


class Screen(Console):
    """A console of rich: its own control codes pass, those in a text are spelled out."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Render as rich does, with the text of every segment made visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
