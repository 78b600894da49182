"""Make text from any program safe to display.

Every report passes the text of others through `seen` or `visible` once, when it starts. Characters
that are invisible, that reorder text, or that control a terminal are spelled out. This does not
escape markup: each report does that for its own format.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from conformance.strict_data import Json

HIDDEN: Final = "[secret]"
TELLING: Final = 5
"""At least this many characters of a secret are hidden; fewer could be any word."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"})
_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Invisible letters and marks that the Unicode category does not reveal (default ignorable)."""


def visible(text: str) -> str:
    r"""Spell out what is invisible, reorders text, or is illegal in XML, for example as `\u202e`.

    Line feeds and tabs stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(each) if _is_unseen(each) else each for each in text)


def seen(value: Json) -> Json:
    """Return `value` with every text in it made visible, keys included."""
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
    """Return `text` made visible and on one line."""
    return " ".join(visible(text).split())


def shortened(text: str, longest: int) -> str:
    """Return the first `longest` characters of `text`, and how many are left out."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters)"


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return `text` without these secrets (ARK-SEC-8), also where `shortened` has cut one off."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
        for length in range(len(secret) - 1, TELLING - 1, -1) if secret[:TELLING] in text else ():
            text = text.replace(f"{secret[:length]}…", f"{HIDDEN}…")
            if text.endswith(secret[:length]):
                text = f"{text[:-length]}{HIDDEN}"
    return text


def cut(text: str, longest: int) -> str:
    """Shorten `text` to `longest` characters by leaving out its middle."""
    if len(text) <= longest:
        return text
    end = longest // 4
    return f"{text[: longest - end - 3]} … {text[-end:]}"


def say(text: str = "", *, err: bool = False) -> None:
    """Print a visible line on standard output, or on standard error; raises OSError if it cannot."""
    print(visible(text), file=sys.stderr if err else sys.stdout, flush=True)


def _is_unseen(each: str) -> bool:
    if each in "\n\t":
        return False
    return unicodedata.category(each) in _UNSEEN or _BLANK.match(each) is not None


def _spelled(each: str) -> str:
    number = ord(each)
    return f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"
