"""Write the reports of a comparison; the suffix of each file's name selects its format."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.reports import write_file
from conformance.reports.comparison.contrast import Contrast
from conformance.reports.comparison.markdown import markdown
from conformance.strict_data import UsageError


def _page(contrast: Contrast) -> str:
    from conformance.reports.comparison.page import page  # noqa: PLC0415 - only a page needs jinja2

    return page(contrast)


_BY_ENDING: Final[Mapping[str, Callable[[Contrast], str]]] = {".html": _page, ".md": markdown}


def check_names(paths: Sequence[Path]) -> None:
    """Raise UsageError if the name of a report has an unknown suffix."""
    for path in paths:
        if path.suffix not in _BY_ENDING:
            raise UsageError(
                f"report {path}", "unknown kind of report; use a name that ends in .html or .md"
            )


def write(paths: Sequence[Path], contrast: Contrast) -> None:
    """Write the reports; raise ReadingError if one cannot be written."""
    for path in paths:
        write_file(path, _BY_ENDING[path.suffix](contrast), "report")
