"""The likely causes of a failure, in terms of the command's options and environment variables.

The client's error says what happened. This module adds what the user should check: the token, the
job id or the address.
"""

import os
from http import HTTPStatus
from typing import Final

from arkor_proto._errors import (
    ArkorError,
    GaveUp,
    NotConnected,
    ResponseError,
    StatusError,
)
from arkor_proto._text import one_line
from arkor_proto._wire import page_problem
from arkor_proto.cli.settings import Settings

_PASSING: Final = frozenset({408, 409, 425, 429})
_SERVER_ERRORS: Final = 500
_TIMED_OUT: Final = 408
_PROXIES: Final = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY")


def is_passing(error: ArkorError) -> bool:
    """Return whether the error may be temporary, so that trying again could succeed."""
    return isinstance(error, StatusError) and (
        error.status in _PASSING or error.status >= _SERVER_ERRORS
    )


def may_have_arrived(error: ArkorError) -> bool:
    """Return whether the backend may have acted on the request despite the error."""
    if isinstance(error, StatusError):
        return error.status == _TIMED_OUT or error.status >= _SERVER_ERRORS
    return not isinstance(error, NotConnected)


def explained(error: ArkorError, settings: Settings, *, seen: bool) -> str:
    """Return an error in one line, with its likely cause if one is known.

    If the backend was `seen` to respond, its address works, so only an error status gets a cause.
    """
    cause = error.cause if isinstance(error, GaveUp) else error
    asked = "" if seen and not isinstance(cause, StatusError) else _question(cause, settings)
    return f"{_words(error)}; {asked}" if asked else _words(error)


def _scope(settings: Settings) -> str:
    return f"for {settings.scope}" if settings.scope else "without --org and --project"


def _words(error: ArkorError) -> str:
    page = _page(error)
    if isinstance(error, StatusError) and page:
        return one_line(f"{error.status}: {page}")
    return one_line(error).replace("ssl_context=", "--ca-file")


def _page(error: Exception) -> str:
    if not isinstance(error, StatusError):
        return ""
    media = error.headers.get("content-type", "").encode()
    return page_problem(((b"content-type", media),), error.message.encode())


def _comes_from_elsewhere(error: ResponseError, settings: Settings) -> bool:
    """Return whether the response is unlikely to come from an Arkor backend."""
    if not isinstance(error, StatusError) or _page(error):
        return True
    return error.status == HTTPStatus.NOT_FOUND and settings.command == "run"


def _question(error: Exception, settings: Settings) -> str:
    match error:
        case ResponseError() if _comes_from_elsewhere(error, settings):
            return f"is {settings.address_source} the address of an Arkor backend?"
        case StatusError(status=401):
            return f"is {settings.token_source} right?"
        case StatusError(status=403):
            return f"may {settings.token_source} be used {_scope(settings)}?"
        case StatusError(status=404):
            inside = f"does a job with this id exist in {settings.scope}?"
            return (
                inside if settings.scope else "is the id right, or is --org or --project missing?"
            )
        case NotConnected():
            set_ = next((name for name in _PROXIES if os.environ.get(name)), None)
            proxy = f" ({set_} is set; arkor-proto does not use it)" if set_ else ""
            return f"is {settings.address_source} right?{proxy}"
        case _:
            return ""
