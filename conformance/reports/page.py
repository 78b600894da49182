"""The run as one HTML page that needs nothing else: no network, no other file.

It knows how to put the data into the page safely. What the page does with it stands in `page.html`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

from conformance.reading import Json

_TEMPLATE: Final = Path(__file__).with_name("page.html")


def page(run: Mapping[str, Json]) -> str:
    """Return the page; whatever a client said in the run stays data."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_TEMPLATE.read_text("utf-8"))
    data = json.dumps(run, ensure_ascii=True, separators=(",", ":"))
    # Inside a script element only "<" could end it; as an escape it stays the same string.
    return template.render(data=Markup(data.replace("<", "\\u003c")), client=run["client"])  # noqa: S704
