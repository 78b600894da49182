"""An anchor for every rule (`spec/protocol.html#ark-bud-3`), and links to it wherever it is named."""

import re
import tomllib
from pathlib import Path
from typing import Final

from docutils import nodes
from sphinx.application import Sphinx

PAGES: Final = {"spec/protocol": "requirements.toml", "spec/backend": "backend-requirements.toml"}
"""The data of the rules that each page has in prose."""
NAMED: Final = re.compile(r"\bARK-[A-Z]{3}-[0-9]+\b")
_UNLINKED: Final = (nodes.reference, nodes.literal_block, nodes.title, nodes.raw)


def _known(app: Sphinx) -> dict[str, str]:
    """Return the page of each rule."""
    spec = Path(app.srcdir).parent / "spec"
    return {
        each["id"]: page
        for page, file in PAGES.items()
        for each in tomllib.loads((spec / file).read_text("utf-8"))["requirement"]
    }


def _anchor(app: Sphinx, doctree: nodes.document) -> None:
    if app.env.docname not in PAGES:
        return
    rules: dict[str, nodes.block_quote] = {}
    for quote in doctree.findall(nodes.block_quote):
        name = next(quote.findall(nodes.strong), None)
        if name is not None and NAMED.fullmatch(name.astext()):
            quote["classes"].append("rule")
            rules[name.astext().lower()] = (
                quote  # the first one is an example of how to read a rule
            )
    for anchor, quote in rules.items():
        quote["ids"].append(anchor)


def _link(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    relative = app.builder.get_relative_uri
    pages = {page: "" if page == docname else relative(docname, page) for page in PAGES}
    places = {
        rule: f"{pages[page]}#{rule.lower()}" for rule, page in app.config.known_rules.items()
    }
    for text in list(doctree.findall(nodes.Text)):
        if NAMED.search(text) and not _inside(text, _UNLINKED):
            text.parent.replace(text, _linked(str(text), places))


def _inside(node: nodes.Node, kinds: tuple[type[nodes.Node], ...]) -> bool:
    return node.parent is not None and (
        isinstance(node.parent, kinds) or _inside(node.parent, kinds)
    )


def _linked(text: str, places: dict[str, str]) -> list[nodes.Node]:
    pieces: list[nodes.Node] = []
    for piece in re.split(f"({NAMED.pattern})", text):
        if to := places.get(piece):
            pieces.append(nodes.reference("", piece, refuri=to, internal=True, classes=["rule"]))
        elif piece:
            pieces.append(nodes.Text(piece))
    return pieces


def setup(app: Sphinx) -> dict[str, bool]:
    """Set the extension up."""
    app.add_config_value("known_rules", _known(app), "env")
    app.connect("doctree-read", _anchor)
    app.connect("doctree-resolved", _link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
