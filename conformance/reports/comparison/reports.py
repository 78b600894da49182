"""Write the reports of a comparison; the name of a file decides which."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.reports.comparison.contrast import Contrast
from conformance.reports.comparison.markdown import markdown
from conformance.strict_data import ReadingError, UsageError


def _page(contrast: Contrast) -> str:
    from conformance.reports.comparison.page import page  # noqa: PLC0415 - loads jinja2 for a page

    return page(contrast)


_BY_ENDING: Final[Mapping[str, Callable[[Contrast], str]]] = {".html": _page, ".md": markdown}


def check_names(paths: Sequence[Path]) -> None:
    """Raise UsageError for a report whose name does not say what it should be."""
    for path in paths:
        if path.suffix not in _BY_ENDING:
            raise UsageError(f"report {path}", "a comparison is written as *.html or *.md")


def write(paths: Sequence[Path], contrast: Contrast) -> None:
    """Write the reports; raises ReadingError if one cannot be written."""
    for path in paths:
        try:
            text = _BY_ENDING[path.suffix](contrast)
            path.write_text(text, "utf-8", errors="backslashreplace", newline="\n")
        except OSError as error:
            raise ReadingError(f"report {path}", f"cannot be written: {error.strerror}") from error
