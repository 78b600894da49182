"""Decodes JSON strictly as RFC 8259 defines it, within fixed limits.

Python's own decoder accepts `NaN` as a number, refuses very long integers, and gives up at a depth
that depends on the caller's stack. Here, `NaN` and `Infinity` are not JSON (ARK-EVT-20), a number
beyond the range of a double becomes null (ARK-EVT-22), and a value nested more deeply than
`MAX_DEPTH` is refused (ARK-SEC-10).
"""

import json
import math
from collections.abc import Callable
from json.scanner import make_scanner
from typing import Final, NoReturn, TypeAlias

from arkor_proto._walk import MAX_DEPTH, is_dict, rebuilt, too_deep

JsonLoads: TypeAlias = Callable[[str], object]
"""Decodes one JSON text; raises ValueError if the string is not JSON."""

BEYOND: Final = 2**1024 - 2**970
"""The smallest integer that becomes infinity when it is rounded to a double."""

_DIGITS: Final = len(str(BEYOND))
# A text of at most this length is too short for a value nested too deeply, and for an integer
# beyond the range of a double.
_SHORT: Final = 2 * MAX_DEPTH


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _whole_number(digits: str) -> int | None:
    # int() refuses more digits than the process allows, 4,300 by default.
    return int(digits) if len(digits.lstrip("-")) <= _DIGITS else None


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
_PATIENT: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_whole_number)
_scan: Final = make_scanner(_DECODER)  # type: ignore[arg-type]  # the stub names another class


def decode_json(text: str) -> object:
    """Return the value of one JSON text; raise ValueError if it is invalid or nested too deeply.

    In a short text, a number beyond the range of a double may be returned as infinity, because
    checking every number of every frame would take too long. To replace it with null, pass the
    value to `bounded`.
    """
    try:
        # `decode` also skips white space on either side, which takes half as long as the rest.
        value, end = _scan(text, 0)
        size = len(text)
        if end == size:
            return value if size <= _SHORT else bounded(value)
    except (StopIteration, ValueError, RecursionError):
        pass
    return _decode_at_leisure(text)


def _decode_at_leisure(text: str) -> object:
    decoder = _DECODER if len(text) <= _SHORT else _PATIENT
    try:
        return bounded(decoder.decode(text))
    except RecursionError:
        too_deep()


def decode_with(loads: JsonLoads, text: str) -> object:
    """Return the value of one JSON text, decoded by `loads`, which may accept another dialect.

    If `loads` refuses the text or may have misread it, `decode_json` decodes it instead.
    """
    try:
        value = loads(text)
    except (ValueError, RecursionError):
        return decode_json(text)
    if "NaN" in text or "Infinity" in text:
        return decode_json(text)
    if len(text) > _SHORT:
        return bounded(value)
    # A decoder may return the same object again, and the caller takes this one apart.
    return {**value} if is_dict(value) else value


def bounded(value: object) -> object:
    """Return a JSON value with each number beyond the range of a double replaced by null.

    Raise ValueError if the value is nested more deeply than `MAX_DEPTH`, or contains a NaN.
    """
    value = _in_range("", value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    return rebuilt(value, _in_range, deeper=too_deep)


def _in_range(_: str, value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return _refuse_constant("NaN") if math.isnan(value) else None
    if isinstance(value, int) and not -BEYOND < value < BEYOND:
        return None
    return value
