"""Docstrings as they are written here: a name in single backticks becomes a link where it is known."""

import re
import sys
from enum import Enum
from typing import Final

import attrs
from sphinx.application import Sphinx
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer

QUOTED = re.compile(r"(?<!`)`([^`]+)`(?!`)")
NAME = re.compile(r"[A-Za-z_][\w.]*(\(\))?")
DEFAULT = re.compile(r"attr_dict\['(\w+)'\]\.default|NOTHING")
_LONG: Final = 20


def _process(
    _: Sphinx, what: str, name: str, of: object, options: object, lines: list[str]
) -> None:
    """Leave references to names alone, and make everything else in backticks literal text."""
    del of, options
    if what == "module":  # it is for those who read the module; the page has an introduction
        lines.clear()
    if what == "data":  # what Sphinx offers may describe the type of the value instead
        lines[:] = _where_it_is_defined(name)
    lines[:] = [QUOTED.sub(_literal_or_name, line) for line in lines]


def _literal_or_name(quoted: re.Match[str]) -> str:
    return quoted[0] if NAME.fullmatch(quoted[1]) else f"``{quoted[1]}``"


def _where_it_is_defined(name: str) -> list[str]:
    """Return the text below a constant or alias, from this module or the one that defines it."""
    package, _, short = name.rpartition(".")
    for module in sorted(
        (each for each in sys.modules if each.startswith(package.partition(".")[0])),
        key=lambda each: (each != package, each),
    ):
        try:
            found = ModuleAnalyzer.for_module(module).find_attr_docs().get(("", short))
        except PycodeError:
            continue
        if found:
            return found
    return []


def _defaults(  # noqa: PLR0917 - Sphinx calls it
    _: Sphinx, what: str, name: str, of: type, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show the defaults of a class made by attrs; a long or a computed one is an ellipsis."""
    del name, options
    if what not in {"class", "exception"} or not attrs.has(of) or signature is None:
        return None
    shown = {field.alias: _short(field.default) for field in attrs.fields(of)}
    return DEFAULT.sub(lambda found: shown.get(found[1], "…"), signature), returns


def _short(value: object) -> str:
    text = str(value) if isinstance(value, Enum) else repr(value)
    return text if len(text) <= _LONG and not text.startswith(("NOTHING", "Factory")) else "…"


def setup(app: Sphinx) -> dict[str, bool]:
    """Set the extension up."""
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-process-signature", _defaults)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
