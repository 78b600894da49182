"""Tokens are sent only to the backend, and never appear in a log or an error."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from arkor_proto import StatusError, TransportError
from conformance.transport_suite.adapter import DATASET_TOKEN, TOKEN
from conformance.transport_suite.bench import Bench, Scene, holds
from conformance.transport_suite.check import check
from conformance.transport_suite.peer import Script
from conformance.transport_suite.wire import (
    CHUNKED_HEAD,
    job,
    log,
    refusal,
    sends,
    then_closed,
    then_left,
)

_TOKENS: Final = (TOKEN, DATASET_TOKEN)
_ECHO: Final = f"Authorization: Bearer {TOKEN} {DATASET_TOKEN}"


class _Lines(logging.Handler):
    """Collects log records as text, including tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Format a log record and keep the text."""
        self.lines.append(self.format(record))


@contextmanager
def _logged() -> Generator[list[str], None, None]:
    """Yield a list to which every log message, from DEBUG up, is added during the `with` block."""
    root, handler = logging.getLogger(), _Lines()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def _keeps_the_secret(text: str, where: str) -> None:
    holds(not any(token in text for token in _TOKENS), f"a token is in {where}: {text}")


def _failing(bench: Bench, script: Script, kind: type[Exception]) -> None:
    """Try to start a job, which must fail; search the exception and the log for tokens."""
    with _logged() as lines:
        with bench.play(Scene(job=None, create=[script])) as play:
            error = play.starting().error(kind)
        for each in (str(error), repr(error), str(error.__cause__), str(error.__context__)):
            _keeps_the_secret(each, "the error")
        _keeps_the_secret("\n".join(lines), "the log")


@check("T16", "ARK-SEC-8")
def no_token_is_logged(bench: Bench) -> None:
    """A complete run that includes a reconnect logs no token at any log level."""
    with _logged() as lines:
        scene = Scene(job=None, streams=[then_closed(CHUNKED_HEAD), job(log(1))])
        with bench.play(scene) as play:
            play.wait()
            play.cancelling().result()
        _keeps_the_secret("\n".join(lines), "the log")


@check("T16", "ARK-SEC-8")
def an_echo_that_is_not_http_is_not_quoted(bench: Bench) -> None:
    """If a peer echoes the request in a response that is not HTTP, no error contains a token."""
    _failing(bench, then_left(f"echo: {_ECHO}\r\n\r\n".encode()), TransportError)


@check("T16", "ARK-SEC-8")
def an_echo_in_a_header_is_not_quoted(bench: Bench) -> None:
    """If a peer echoes the request in an unparsable response head, no error contains a token."""
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {_ECHO}\r\n\r\n"
    _failing(bench, then_left(head.encode()), TransportError)


@check("T16", "ARK-SEC-8")
def an_echo_in_a_refusal_is_hidden(bench: Bench) -> None:
    """If a peer echoes the request in a refusal, no error contains a token."""
    _failing(bench, sends(refusal(400, _ECHO)), StatusError)
