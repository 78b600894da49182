"""How Sphinx builds the site: `sphinx-build -W --keep-going -b html docs reports/site`.

The guides and the specification are files of the checkout. A page of the same name in here includes
each of them, so that their links to each other hold on the site too.
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]

from arkor_proto import __version__  # noqa: E402 - of this checkout

project = "arkor-proto"
author = "the arkor-proto authors"
release = version = __version__
extensions = [
    *("myst_parser", "sphinx.ext.autodoc"),
    *("commands", "docstrings", "drawings", "included", "rules"),
]
exclude_patterns = ["_static", "diagrams", "extensions"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

add_module_names = False
autodoc_default_options = {"members": True, "undoc-members": True, "member-order": "bysource"}
autodoc_preserve_defaults = True
default_role = "py:obj"
maximum_signature_line_length = 88
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"arkor-proto {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"
