"""What every route of the admin shares: refusals, and reading bodies and queries."""

from typing import Final

from mock_server.backend import refuse
from mock_server.redaction import quoted
from mock_server.requests import Request, json_of
from mock_server.strict.shapes import is_table

_DIGITS: Final = 15


class Refusal(Exception):
    """The answer is a refusal."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.reply = refuse(status, why)


def body_table(request: Request) -> dict[str, object]:
    """Return the JSON object of a request, an empty one for no body; raises Refusal."""
    if not request.body:
        return {}
    found = json_of(request.body)
    if not is_table(found):
        raise Refusal(400, "the body must be a JSON object")
    return dict(found)


def whole_number(text: str) -> int | None:
    """Read the digits of a number; None for anything else and for more than 15 of them."""
    right = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if right else None


def number_of(request: Request, name: str, default: int) -> int:
    """Read a number of the query; raises Refusal."""
    given = request.query.get(name)
    found = default if given is None else whole_number(given)
    if found is None:
        raise Refusal(400, f"{name}: {shown_word(given or '')} is no whole number")
    return found


def shown_word(word: str) -> str:
    """Return a word of a request for a message: short, and without secrets."""
    return quoted(word if len(word) <= _LONGEST else word[:_LONGEST] + "…")


_LONGEST: Final = 60
