"""The web addresses of the rules, for links in reports."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from typing import Final
from urllib.parse import quote

from conformance.casefile.requirements import specification_directory

_DISTRIBUTION: Final = "arkor-proto"
_LABEL: Final = "Documentation"
_HEADING: Final = re.compile(r"#+ (.+)")
_PAGE: Final = "protocol.md"
"""The page that the package's metadata links to; the other pages are in the same directory."""
PAGES: Final = (_PAGE, "backend.md")
_RULE: Final = re.compile(r"> \*\*(ARK-[A-Z]{3}-[0-9]+)\*\* (· [A-Z]+)")


def documentation() -> str:
    """Return the specification's address from the package's metadata; "" if there is none."""
    try:
        urls: list[str] = metadata(_DISTRIBUTION).get_all("Project-URL") or []
    except PackageNotFoundError:  # a source checkout that is not installed
        return ""
    of_pages = (url.removeprefix(f"{_LABEL}, ") for url in urls if url.startswith(f"{_LABEL}, "))
    return next(of_pages, "")


@cache
def addresses() -> Mapping[str, str]:
    """Return the address of each rule by id, or {} if the specification's address is not known."""
    page = documentation()
    if not page:
        return {}
    directory = page.removesuffix(_PAGE)
    return {
        rule: f"{directory}{name}#{place}" for name in PAGES for rule, place in places(name).items()
    }


def places(page: str = _PAGE) -> Mapping[str, str]:
    """Return the URL fragment of each rule on a page: a section anchor and a text fragment.

    Section anchors are the same on GitHub and on the site. If a browser does not find the text, it
    goes to the section.
    """
    found: dict[str, str] = {}
    section = ""
    text = (specification_directory() / page).read_text("utf-8")
    for line in text.splitlines():
        if heading := _HEADING.fullmatch(line):
            section = re.sub(r"[^\w -]", "", heading[1].lower()).replace(" ", "-")
        elif named := _RULE.match(line):
            # A browser goes to the first occurrence of this text, which is the wrong place for the
            # rule that is also the example of how to read one.
            said = quote(f"{named[1]} {named[2]}").replace("-", "%2D")
            found[named[1]] = section if named[1] in found else f"{section}:~:text={said}"
    return found
