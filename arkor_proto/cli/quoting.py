"""Joins and splits command lines, with the quoting of the platform's shells."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from typing import Final

_WINDOWS: Final = "win32"
_PIECE: Final = re.compile(r'(\\*)"|(\s+)|(\\+|[^\\"\s]+)')


def joined(words: Iterable[str], platform: str = sys.platform) -> str:
    """Return a command line that passes these words, quoted for the shell."""
    return subprocess.list2cmdline(words) if platform == _WINDOWS else shlex.join(words)


def split(line: str, platform: str = sys.platform) -> list[str]:
    """Return the words of a command line; raise ValueError for an unclosed quote."""
    return _split_on_windows(line) if platform == _WINDOWS else shlex.split(line)


def _split_on_windows(line: str) -> list[str]:
    """Split as Windows programs do: a backslash is literal unless a double quote follows."""
    words: list[str] = []
    word: str | None = None
    quoted = False
    for backslashes, space, plain in _PIECE.findall(line):
        if space and not quoted:
            words += [] if word is None else [word]
            word = None
        elif space or plain:
            word = (word or "") + space + plain
        else:
            escaped = len(backslashes) % 2 == 1
            word = (word or "") + backslashes[: len(backslashes) // 2] + ('"' if escaped else "")
            quoted ^= not escaped
    if quoted:
        raise ValueError("No closing quotation")
    return words if word is None else [*words, word]
