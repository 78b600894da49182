"""Making a text safe to look at, whoever wrote it.

It knows the characters that a reader cannot see or that reorder what he sees. It refuses to know
markup: each writer escapes for its own format.
"""

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"})


def visible(text: str) -> str:
    r"""Spell out what is invisible, reorders text, or stands in no file of XML: `\u202e`.

    Line feeds and tabs stay: they are plain to see.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        f"\\u{ord(each):04x}"
        if each not in "\n\t" and unicodedata.category(each) in _UNSEEN
        else each
        for each in text
    )


def one_line(text: str) -> str:
    """Return `text`, visible and on a single line."""
    return " ".join(visible(text).split())


def shortened(text: str, longest: int) -> str:
    """Return `text` with at most `longest` characters, and say how much is left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters)"
