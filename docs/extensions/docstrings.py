"""Docstrings as they are written here: a name in single backticks becomes a link where it is known."""

import re
import sys

from sphinx.application import Sphinx
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer

QUOTED = re.compile(r"(?<!`)`([^`]+)`(?!`)")
NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")


def _process(
    _: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]
) -> None:
    """Leave references to names alone, and make everything else in backticks literal text."""
    del of, options
    if what == "data":
        lines[:] = _where_it_is_defined(name) or lines
    lines[:] = [QUOTED.sub(_literal_or_name, line) for line in lines]


def _literal_or_name(quoted: re.Match[str]) -> str:
    return quoted[0] if NAME.fullmatch(quoted[1]) else f"``{quoted[1]}``"


def _where_it_is_defined(name: str) -> list[str]:
    """Return the text below a constant or an alias that a package exports from one of its modules."""
    package, _, short = name.rpartition(".")
    for module in sorted(
        each for each in sys.modules if each.startswith(package.partition(".")[0])
    ):
        try:
            found = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", short))
        except PycodeError:
            continue
        if found:
            return found
    return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Set the extension up."""
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
