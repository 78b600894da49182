"""Check the names by which a case refers to events of a trace.

Only names of events that can occur are accepted, so a typo in a case is reported when the case is
read, instead of causing a wait for an event that cannot occur.
"""

import re
from collections.abc import Iterable
from typing import Final

from conformance.trace.events import CALLBACKS, ROUTES
from mock_server.strict.alternatives import converted
from mock_server.strict.shapes import ScenarioError, Shape, nearest, text

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


def _event(reference: str, where: str) -> str:
    if _SLEEP.fullmatch(reference) or _OPERATION.fullmatch(reference):
        return reference
    if found := _CALLBACK.fullmatch(reference):
        return _known(where, reference, found["name"] or "log", CALLBACKS)
    if found := _EXCHANGE.fullmatch(reference):
        return _known(where, reference, found["route"], ROUTES)
    raise ScenarioError(
        f"{where}: {reference!r} does not name an event; write it like stream#1.frame#2, "
        "create#1.requested, callback.log#1, sleep#1.ended or wait.settled"
    )


def _exchange(reference: str, where: str) -> str:
    route, hash_sign, attempt = reference.partition("#")
    if not (hash_sign and _NUMBER.fullmatch(attempt)):
        raise ScenarioError(
            f"{where}: {reference!r} does not name an exchange; write it like stream#2"
        )
    return _known(where, reference, route, ROUTES)


EVENT: Final[Shape[str]] = converted(text(), _event)
"""The name of a possible event; `check_operation` checks that the case calls its operation."""
EXCHANGE: Final[Shape[str]] = converted(text(), _exchange)
"""The name of an exchange (a request and its response), such as `stream#2`."""


def check_operation(where: str, reference: str, operations: Iterable[str]) -> None:
    """Raise ScenarioError if `reference` names an operation that the case does not call."""
    if found := _OPERATION.fullmatch(reference):
        _known(where, reference, found["operation"], operations)


def _known(where: str, reference: str, part: str, known: Iterable[str]) -> str:
    words = tuple(known)
    if part not in words:
        raise ScenarioError(f"{where}: {reference!r}: {part!r} is unknown; {nearest(part, words)}")
    return reference
