"""Render a page that works offline as a single file, with its styles, scripts and data embedded."""

from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

_HERE: Final = Path(__file__).parent


def rendered(template: str, styles: str, *, folder: Path = _HERE, **values: object) -> str:
    """Return the page made from a template in `folder`, which extends `standalone.html`.

    Every value is escaped, except Markup and `styles`, which must be CSS of this project.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = Markup(styles)  # noqa: S704 - CSS files of this project
    return environment.get_template(template).render(style=style, **values)
