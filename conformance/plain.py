"""Making a text safe to look at, whatever program wrote it.

Every output passes what it was told through `seen` or `visible` once, at its beginning: characters
that a reader cannot see, that reorder what he sees, or that drive a terminal are spelled out. Markup
is another matter: each writer escapes for its own format.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

from conformance.strict_data import Json

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"})
_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that show nothing; Unicode calls them ignorable, their category does not tell."""


def visible(text: str) -> str:
    r"""Spell out what is invisible, reorders text, or cannot be in a file of XML: `\u202e`.

    Line feeds and tabs stay: they are plain to see.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(each) if _is_unseen(each) else each for each in text)


def seen(value: Json) -> Json:
    """Return plain data with every text in it made visible, keys included."""
    match value:
        case str():
            return visible(value)
        case Mapping():
            return {visible(key): seen(item) for key, item in value.items()}
        case bool() | int() | float() | None:
            return value
        case _:
            return [seen(item) for item in value]


def one_line(text: str) -> str:
    """Return `text`, visible and on a single line."""
    return " ".join(visible(text).split())


def shortened(text: str, longest: int) -> str:
    """Return `text` with at most `longest` characters, and say how much is left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters)"


def cut(text: str, longest: int) -> str:
    """Return `text` with at most `longest` characters: its beginning and its end."""
    if len(text) <= longest:
        return text
    end = longest // 4
    return f"{text[: longest - end - 3]} … {text[-end:]}"


def _is_unseen(each: str) -> bool:
    if each in "\n\t":
        return False
    return unicodedata.category(each) in _UNSEEN or _BLANK.match(each) is not None


def _spelled(each: str) -> str:
    number = ord(each)
    return f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"
