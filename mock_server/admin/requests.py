"""Read the bodies and queries of requests to the admin API, and refuse invalid ones."""

from collections.abc import Sequence
from typing import Final

from mock_server.backend.answers import refuse
from mock_server.redaction import quoted
from mock_server.requests import Request, json_of
from mock_server.strict.shapes import is_table

ROOT: Final = "/__mock__"
PREFIX: Final = f"{ROOT}/v1"
_DIGITS: Final = 15


class Refusal(Exception):
    """Reports that a request to the admin API is refused; `reply` is the response."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.reply = refuse(status, why)


def no_route(method: str, segments: Sequence[str], where: str = "") -> Refusal:
    """Return the refusal (404) for a request that matches no route."""
    asked = f"{shown_word(method)} {shown_word('/'.join(segments))}{where}"
    return Refusal(404, f"no route {asked}; GET {PREFIX} lists every operation")


def body_table(request: Request) -> dict[str, object]:
    """Return the JSON object in a body, or {} without a body; raise Refusal for anything else."""
    if not request.body:
        return {}
    found = json_of(request.body)
    if not is_table(found):
        raise Refusal(400, "the body must be a JSON object")
    return dict(found)


def whole_number(text: str) -> int | None:
    """Read a whole number of at most 15 digits; return None for anything else."""
    right = text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if right else None


def number_of(request: Request, name: str, default: int) -> int:
    """Return a whole number from the query, or `default` if absent; raise Refusal if invalid."""
    given = request.query.get(name)
    found = default if given is None else whole_number(given)
    if found is None:
        raise Refusal(400, f"{name}: {shown_word(given or '')} is not a whole number")
    return found


def shown_word(word: str) -> str:
    """Return part of a request, quoted for a message; shorten it and hide its secrets."""
    return quoted(word if len(word) <= _LONGEST else word[:_LONGEST] + "…")


_LONGEST: Final = 60
