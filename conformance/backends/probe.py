"""Check, before the run, that a backend is there and accepts the token."""

from typing import Final

from conformance.backends.answer import Answer
from conformance.backends.exchanges import Limited
from conformance.backends.play import Play
from conformance.backends.wire import NOT_HTTP, NOT_IN_TIME, Unreachable

_NO_JOB: Final = "arkor-conformance-no-such-job"
_UNAUTHORISED: Final = 401
_FORBIDDEN: Final = 403
_UNKNOWN: Final = 404
_BROKEN: Final = 500
_REDIRECTS: Final = range(300, 400)


class NoBackend(Exception):
    """There is no usable backend to judge; the message says why and what to do."""


async def probe(play: Play) -> None:
    """Raise NoBackend unless the backend responds to a request for a job as it should.

    The job is the one to follow or, if there is none, one that does not exist.
    """
    followed = play.supply.followed
    url = play.target.url
    try:
        answer = await play.look(followed or _NO_JOB)
    except Unreachable as error:
        raise NoBackend(str(error)) from error
    except Limited as error:
        raise NoBackend(f"{url} is not ready: {error}") from error
    if not answer.status:
        raise NoBackend(_silent(url, answer, play.bounds.answer))
    _is_a_backend(url, answer)
    if followed:
        _is_followed(url, followed, answer)
    elif answer.ok:
        raise NoBackend(
            f"{url} is not an Arkor backend: it answered {answer.told} for a job that does not exist"
        )
    if answer.table is None and answer.status in {_UNKNOWN, _FORBIDDEN}:
        await _is_there(play, answer)


def _is_a_backend(url: str, answer: Answer) -> None:
    if answer.status == _UNAUTHORISED:
        raise NoBackend(f"{url} refused the token ({answer.told}); check ARKOR_TOKEN")
    if answer.status in _REDIRECTS:
        to = answer.header("location") or "an unspecified address"
        raise NoBackend(
            f"{url} redirects to {to}; the kit does not send its token there; if that is your "
            "backend, pass its address as --base-url"
        )
    if answer.status >= _BROKEN:
        raise NoBackend(f"{url} failed: it answered {answer.told} to a request for a job")


def _is_followed(url: str, followed: str, answer: Answer) -> None:
    if not answer.ok:
        raise NoBackend(f"job {followed} cannot be followed: {url} answered {answer.told}")
    if answer.table is None:
        raise NoBackend(
            f"{url} is not an Arkor backend: it answered {answer.told} for job {followed}"
        )


def _silent(url: str, answer: Answer, seconds: float) -> str:
    if answer.ended == NOT_HTTP:
        return f"{url} does not speak HTTP/1.1: {answer.problem}"
    if answer.ended == NOT_IN_TIME:
        return f"{url} accepted the connection but did not respond within {seconds:g} s"
    return f"{url} closed the connection without a response"


async def _is_there(play: Play, missing: Answer) -> None:
    """Raise NoBackend if the server does not have the routes of a backend.

    The error that was received is not JSON, but a backend may have sent it. A backend rejects an
    invalid create request; any other server has no route for it.
    """
    answer = await play.ask("create", play.target.jobs(), "POST", body=b"[]")
    if answer.status in {_UNKNOWN, 405, 501} or answer.header("content-type").startswith(
        "text/html"
    ):
        raise NoBackend(
            f"{play.target.url} is not an Arkor backend: it answered GET /v1/jobs/… with {missing.told} "
            f"and POST /v1/jobs with {answer.told}; check the path in --base-url"
        )
