"""Check the names by which a case refers to events of a trace.

A name that can never occur is an error when the case is read. Otherwise a typo would make the kit
wait for an event that cannot come.
"""

import re
from collections.abc import Iterable
from typing import Final

from conformance.strict_data import ReadingError, nearest
from conformance.trace.events import CALLBACKS, ROUTES

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
_EXCHANGE: Final = re.compile(
    rf"(?P<route>[a-z]+)#{_NUMBER.pattern}"
    rf"(\.(requested|responded|ended|closed|frame#{_NUMBER.pattern}))?"
)
_CALLBACK: Final = re.compile(rf"callback(\.(?P<name>[a-z]+))?#{_NUMBER.pattern}")
_SLEEP: Final = re.compile(rf"(sleep|idle)#{_NUMBER.pattern}(\.(woken|ended))?")
_OPERATION: Final = re.compile(
    rf"(?P<operation>[a-z]+(#{_NUMBER.pattern})?)\.(called|settled|resolved|rejected)"
)


def check_reference(where: str, reference: str, operations: Iterable[str]) -> str:
    """Return `reference` if it can name an event; raises ReadingError with an example if not."""
    if _SLEEP.fullmatch(reference):
        return reference
    if found := _CALLBACK.fullmatch(reference):
        _known(where, reference, found["name"] or "log", CALLBACKS)
    elif found := _OPERATION.fullmatch(reference):
        _known(where, reference, found["operation"], operations)
    elif found := _EXCHANGE.fullmatch(reference):
        _known(where, reference, found["route"], ROUTES)
    else:
        raise ReadingError(
            where,
            f"{reference!r} does not name an event; write it like stream#1.frame#2, create#1.requested, "
            "callback.log#1, sleep#1.ended or wait.settled",
        )
    return reference


def check_exchange(where: str, reference: str) -> str:
    """Return `reference` if it names an exchange (`stream#2`); raises ReadingError."""
    route, hash_sign, attempt = reference.partition("#")
    if not (hash_sign and _NUMBER.fullmatch(attempt)):
        raise ReadingError(where, f"{reference!r} is not an exchange; write it like stream#2")
    return f"{_known(where, reference, route, ROUTES)}#{attempt}"


def _known(where: str, reference: str, part: str, known: Iterable[str]) -> str:
    words = tuple(known)
    if part not in words:
        raise ReadingError(where, f"{reference!r}: {part!r} is unknown; {nearest(part, words)}")
    return part
