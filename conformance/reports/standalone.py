"""Render a page that needs no network and no other file: its styles, scripts and data are in it."""

from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

_HERE: Final = Path(__file__).parent


def rendered(template: str, styles: str, *, folder: Path = _HERE, **values: object) -> str:
    """Return the page of a template that extends `standalone.html`; every value is escaped.

    `styles` are CSS of this project: they and values that are Markup are embedded as they are.
    The template is in `folder`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = Markup(styles)  # noqa: S704 - files of this project
    return environment.get_template(template).render(style=style, **values)
