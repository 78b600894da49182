"""Files of the checkout on the site: a link to a file that is not a page becomes a download.

A link to a folder, or to a Markdown file that is not on the site, becomes plain text.
"""

import os
import re
from pathlib import Path

from sphinx.application import Sphinx

LINK = re.compile(r"\[([^\]]*)\]\((?!#|[a-z]+:)([^)\s#]+)\)")


def _adapt(app: Sphinx, path: Path, _: str, content: list[str]) -> None:
    root = Path(app.srcdir).parent
    folder = (Path(app.srcdir) / path).resolve().parent

    def lead(link: re.Match[str]) -> str:
        text, target = link[1], (folder / link[2]).resolve()
        if target.is_dir():
            return text
        if target.suffix == ".md":
            return link[0] if (app.srcdir / target.relative_to(root)).is_file() else text
        if not target.is_file():
            return link[0]
        return f"[{text}](/{os.path.relpath(target, app.srcdir)})"

    content[0] = LINK.sub(lead, content[0]).replace("```jsonl", "```text")  # it begins with arrows


def setup(app: Sphinx) -> dict[str, bool]:
    """Set the extension up."""
    app.connect("include-read", _adapt)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
