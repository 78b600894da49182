"""Make text from any program safe to display.

Every report first passes foreign text through `seen` or `visible`, once. Both spell out characters
that are invisible, reorder text or control a terminal. They do not escape markup; each report does
that for its own format.
"""

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from conformance.strict_data import Json

HIDDEN: Final = "[secret]"
TELLING: Final = 5
"""A part of a secret is hidden if it is at least this long; a shorter one could be an ordinary word."""
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Cn"})
_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that are invisible (default ignorable), whatever their Unicode category."""


def visible(text: str) -> str:
    r"""Escape each character that is invisible, reorders text or is illegal in XML, as in `\u202e`.

    Line feeds and tabs are kept.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(each) if _is_unseen(each) else each for each in text)


def seen(value: Json) -> Json:
    """Return `value` with `visible` applied to every string in it, including keys."""
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
    """Return `text` on one line, with `visible` applied to it."""
    return " ".join(visible(text).split())


def shortened(text: str, longest: int) -> str:
    """Cut `text` to its first `longest` characters, and say how many more there were."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text) - longest} more characters)"


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """Replace the secrets in `text` (ARK-SEC-8), even a secret that `shortened` has truncated."""
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
    """Print `visible(text)` on standard output or standard error; raise OSError if that fails."""
    print(visible(text), file=sys.stderr if err else sys.stdout, flush=True)


def _is_unseen(each: str) -> bool:
    if each in "\n\t":
        return False
    return unicodedata.category(each) in _UNSEEN or _BLANK.match(each) is not None


def _spelled(each: str) -> str:
    number = ord(each)
    return f"\\u{number:04x}" if number < 1 << 16 else f"\\U{number:08x}"
