"""The Mermaid diagrams of the included files, drawn beforehand: a build needs no browser.

`docs/diagrams/` has a drawing for each diagram, named after a digest of its text. A diagram that has
none is an error of the build: run `docs/diagrams/draw.py` to draw it.
"""

from hashlib import sha256
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)


def name_of(diagram: str) -> str:
    """Return the name of the file with the drawing."""
    return sha256(diagram.strip().encode()).hexdigest()[:16] + ".svg"


def _draw(app: Sphinx, doctree: nodes.document) -> None:
    for block in list(doctree.findall(nodes.literal_block)):
        if block.get("language") != "mermaid":
            continue
        drawing = Path(app.srcdir) / "diagrams" / name_of(block.astext())
        if not drawing.is_file():
            LOGGER.warning("docs/diagrams has no %s; run draw.py", drawing.name, location=block)
            block["language"] = "text"
            continue
        svg = drawing.read_text("utf-8")
        block.replace_self(nodes.raw("", f'<div class="diagram">{svg}</div>', format="html"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Set the extension up."""
    app.connect("doctree-read", _draw)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
