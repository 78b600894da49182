"""Turns any value into one line of readable text that is safe to display.

A value from an application or a backend may have no text (an exception whose `__str__` raises),
far too much text (an error page), or text that forges log lines or controls a terminal (CWE-117).
"""

from collections.abc import Iterable
from typing import Final

MAX_LINE: Final = 500
"""The maximum length of untrusted text in a log line, in characters."""


def words(value: object) -> str:
    """Return `str(value)` or, if that raises, a placeholder that names the value's type."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - showing an error must not raise another
        return f"<{type(value).__name__} that cannot be shown>"


def error_words(error: BaseException) -> str:
    """Return the type of `error`, and its message if it has one."""
    kind, said = type(error).__name__, words(error)
    return f"{kind}: {said}" if said else kind


def printable(text: object) -> str:
    """Return `text` with every non-printable character escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in words(text)
    )


def one_line(text: object, limit: int = MAX_LINE) -> str:
    """Return `text` as one line of printable characters, cut after `limit` characters."""
    whole = words(text)
    if len(whole) <= limit:
        return printable(whole)
    return f"{printable(whole[:limit])}… ({len(whole)} characters)"


def upgrade_words(current: str | None, supported: str | None, upgrade: str | None) -> str:
    """Return what a 426 response says, in one line; pass None for each value that it lacks."""
    parts = (("version ", current, " is not supported"), ("supported: ", supported, ""))
    said = [before + one_line(text) + after for before, text, after in parts if text]
    said += [one_line(upgrade)] if upgrade else []
    return "; ".join(said) or "the response does not say which versions are supported"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a suggestion: the known word that was probably meant, or a list of all known words."""
    from difflib import get_close_matches  # noqa: PLC0415 - needed only after a mistake

    names = tuple(known)
    near = get_close_matches(word, names, 1)
    return f"did you mean {near[0]!r}?" if near else f"write one of {', '.join(names)}"
