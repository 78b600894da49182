"""Mutants of redirects."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001, PLR2004
# pyright: reportPrivateUsage=false

import re
from urllib.parse import urlsplit, urlunsplit

from attrs import evolve

from arkor_proto import _wait, _wire
from arkor_proto._errors import StatusError
from arkor_proto._exchange import Answer, Pending
from arkor_proto._messages import Operation
from arkor_proto._session import Session
from arkor_proto._types import Endpoint, JobSpec, Request
from arkor_proto._wait import Wait
from arkor_proto._wire import MAX_HOPS, REDIRECTS, cancel_request, create_request, header
from conformance.mutants.patching import (
    breaks,
    replace,
    with_header,
    without,
)


def _goes_anywhere(*forgotten: bytes) -> None:
    """Follow redirects to other origins, without some of the headers.

    The mutant keeps its connection, which the backend of a case serves under both names: what
    tells the origins apart is the `Host`.
    """
    original = _wire.redirected

    def redirected(endpoint: Endpoint, request: Request, location: str) -> Request | None:
        there = urlsplit(location)
        if not there.netloc:
            return original(endpoint, request, location)
        here = urlunsplit(("", "", there.path or "/", there.query, ""))
        found = original(endpoint, request, here)
        if found is None:
            return None
        for name in forgotten:
            found = without(found, name)
        return with_header(found, b"Host", there.netloc.encode())

    replace(_wait, "redirected", redirected)


@breaks("ARK-SEC-1", "ARK-SEC-11", "ARK-SEC-12")
def follows_redirects_anywhere() -> None:
    """A redirect to another origin is followed, token and all."""
    _goes_anywhere()


@breaks("ARK-SEC-1", "ARK-SEC-12")
def goes_elsewhere_without_the_token() -> None:
    """A redirect to another origin is followed without the token, but with the cursor."""
    _goes_anywhere(b"authorization")


@breaks("ARK-SEC-1")
def goes_elsewhere_without_credentials() -> None:
    """A redirect to another origin is followed as browsers do, without token and cursor."""
    _goes_anywhere(b"authorization", b"last-event-id")


@breaks("ARK-SEC-2")
def follows_no_redirect() -> None:
    """A redirect of the stream counts as a failure."""
    replace(_wait, "MAX_HOPS", 0)


@breaks("ARK-SEC-2")
def follows_redirects_for_ever() -> None:
    """There is no limit on hops."""
    replace(_wait, "MAX_HOPS", 10_000)


@breaks("ARK-SEC-2")
def forgets_the_headers_on_a_redirect() -> None:
    """A redirected stream request carries no headers of the protocol."""
    original = _wire.redirected

    def redirected(endpoint: Endpoint, request: Request, location: str) -> Request | None:
        found = original(endpoint, request, location)
        return None if found is None else without(without(found, b"authorization"), b"accept")

    replace(_wait, "redirected", redirected)


@breaks("ARK-SEC-3")
def redirects_the_create() -> None:
    """A create that is redirected is posted again at the new place."""
    original = Session._created

    def created(session: Session, answer: Answer) -> None:
        location = header(answer.headers, b"location")
        job = session._config.job
        if 300 <= answer.status < 400 and location and isinstance(job, JobSpec):
            request = create_request(session._config.endpoint, job, session._key)
            session._outbox.send(Operation.START, evolve(request, target=location))
        else:
            original(session, answer)

    replace(Session, "_created", created)


@breaks("ARK-SEC-3")
def redirects_the_cancel() -> None:
    """A cancel that is redirected is posted again at the new place."""
    original = Session._cancelled

    def cancelled(session: Session, answer: Answer) -> None:
        location = header(answer.headers, b"location")
        job = session._wait.job
        if 300 <= answer.status < 400 and location and job is not None:
            request = cancel_request(session._config.endpoint, job.id)
            session._outbox.send(Operation.CANCEL, evolve(request, target=location))
        else:
            original(session, answer)

    replace(Session, "_cancelled", cancelled)


@breaks("ARK-SEC-2")
def counts_a_followed_redirect() -> None:
    """A redirect that is followed spends the budget like a failure."""
    original = Wait._responded

    def responded(wait: Wait, pending: Pending, now: float) -> None:
        followed = wait._redirected(pending) is not None
        if followed and wait.budget.failed() is None:
            wait._reject(StatusError(pending.status, "redirected"))
        else:
            original(wait, pending, now)

    replace(Wait, "_responded", responded)


@breaks("ARK-SEC-2")
def follows_a_redirect_to_nowhere() -> None:
    """A redirect without a `Location` leads to where it came from."""
    original = Wait._redirected

    def redirected(wait: Wait, pending: Pending) -> Request | None:
        nowhere = pending.status in REDIRECTS and header(pending.headers, b"location") is None
        if nowhere and pending.hops < MAX_HOPS:
            return pending.request
        return original(wait, pending)

    replace(Wait, "_redirected", redirected)


@breaks("ARK-SEC-1")
def follows_a_redirect_with_credentials() -> None:
    """What stands before the host of a `Location` is not looked at."""
    original = _wire.redirected

    def redirected(endpoint: Endpoint, request: Request, location: str) -> Request | None:
        return original(endpoint, request, re.sub(r"//[^/@]*@", "//", location))

    replace(_wait, "redirected", redirected)


@breaks("ARK-SEC-2")
def follows_an_empty_location() -> None:
    """An empty `Location` leads to where it came from."""
    original = Wait._redirected

    def redirected(wait: Wait, pending: Pending) -> Request | None:
        empty = header(pending.headers, b"location") == "" and pending.status in REDIRECTS
        return pending.request if empty and not pending.hops else original(wait, pending)

    replace(Wait, "_redirected", redirected)


@breaks("ARK-SEC-2")
def follows_whole_addresses_alone() -> None:
    """A `Location` that is not a whole address counts as a failure."""
    original = _wire.redirected

    def redirected(endpoint: Endpoint, request: Request, location: str) -> Request | None:
        return original(endpoint, request, location) if "://" in location else None

    replace(_wait, "redirected", redirected)


@breaks("ARK-SEC-2", follows=("ARK-SEC-13",))
def drops_the_query_of_a_redirect() -> None:
    """The stream moves to the path of a `Location` alone."""
    original = _wire.redirected

    def redirected(endpoint: Endpoint, request: Request, location: str) -> Request | None:
        return original(endpoint, request, location.partition("?")[0])

    replace(_wait, "redirected", redirected)


@breaks("ARK-SEC-13")
def takes_a_location_for_latin_1() -> None:
    """Each byte of a `Location` is taken for a character of its own, and sent in UTF-8."""
    original = _wire.redirected

    def redirected(endpoint: Endpoint, request: Request, location: str) -> Request | None:
        return original(endpoint, request, location.encode().decode("latin-1"))

    replace(_wait, "redirected", redirected)


@breaks("ARK-SEC-14")
def remembers_a_redirect() -> None:
    """Once redirected, the stream is opened at the new place for good."""
    places: dict[str, str] = {}
    redirect_originally, open_originally = _wire.redirected, _wire.stream_request

    def redirected(endpoint: Endpoint, request: Request, location: str) -> Request | None:
        found = redirect_originally(endpoint, request, location)
        if found is not None:
            places[endpoint.base_url] = found.target
        return found

    def stream_request(endpoint: Endpoint, job_id: str, cursor: str) -> Request:
        request = open_originally(endpoint, job_id, cursor)
        return evolve(request, target=places.get(endpoint.base_url, request.target))

    replace(_wait, "redirected", redirected)
    replace(_wait, "stream_request", stream_request)
