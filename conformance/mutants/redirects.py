"""Mutants of redirects."""

# Mutants reach into what nobody else may touch.
# ruff: noqa: D401, SLF001, PLR2004
# pyright: reportPrivateUsage=false

from attrs import evolve

from arkor_proto import _wait, _wire
from arkor_proto._errors import StatusError
from arkor_proto._exchange import Answer, Pending
from arkor_proto._messages import Operation
from arkor_proto._session import Session
from arkor_proto._types import Endpoint, JobSpec, Request
from arkor_proto._wait import Wait
from arkor_proto._wire import MAX_HOPS, REDIRECTS, create_request, header
from conformance.mutants.surgery import breaks, replace, without


@breaks("ARK-SEC-1")
def follows_redirects_anywhere() -> None:
    """A redirect to another origin is followed, token and all."""

    def origin(_: object) -> str:
        return "anywhere"

    replace(_wire, "_origin", origin)


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
