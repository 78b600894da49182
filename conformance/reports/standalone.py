"""Render a page that works offline as a single file, with its styles, scripts and data embedded."""

from pathlib import Path
from typing import Final

import jinja2
from markupsafe import Markup

_HERE: Final = Path(__file__).parent


def rendered(template: str, styles: str, *, folder: Path = _HERE, **values: object) -> str:
    """Render the page from `template`, a file in `folder` that extends `standalone.html`.

    Every value is escaped, except Markup and `styles`; only this project's own CSS may be passed
    as `styles`.
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
