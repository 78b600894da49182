"""Parses numbers given on the command line.

Error messages say what is allowed, in the same words for every option.
"""

import math
import re
from typing import Final

_LARGEST: Final = 10**18 - 1
"""The largest whole number accepted; it has 18 digits."""


def whole(text: str, *, least: int = 0, most: int = _LARGEST) -> int:
    """Read a whole number written in plain digits, or raise ValueError."""
    found = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
    if found is None or not least <= found <= most:
        raise ValueError(f"{text!r} is not a whole number{_limits(least, most)}")
    return found


def seconds(
    text: str, *, least: float = 0.0, most: float = math.inf, what: str = "a number of seconds"
) -> float:
    """Read a finite number, or raise ValueError; `what` describes the number in the message."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not least <= found <= most or math.isinf(found):
        limits = f" from {least:g} to {most:g}" if most < math.inf else ""
        raise ValueError(f"{text!r} is not {what}{limits}")
    return found


def _limits(least: int, most: int) -> str:
    if most < _LARGEST:
        return f" from {least} to {most}"
    return f" of at least {least}" if least > 0 else ""
