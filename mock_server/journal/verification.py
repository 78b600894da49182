# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""Read the body of the admin API's `POST …/verify`, and run the checks that it asks for."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Final

from attrs import frozen

from arkor_proto import HARDENED, Profile
from mock_server.journal.verify import (
    WANTED,
    VerificationError,
    Verify,
    Wanted,
)
from mock_server.strict.shapes import (
    Shape,
    array,
    flag,
    integer,
    text,
)
from mock_server.strict.words import table, word


@frozen(kw_only=True)
class Counted:
    """A kind of request, and how many times such a request must have arrived."""

    request: Wanted = word(WANTED, "the request", default=Wanted())
    times: int | None = word(integer(0, 1_000_000), "exactly this many times", default=None)
    at_least: int | None = word(integer(0, 1_000_000), "at least this many times", default=None)
    at_most: int | None = word(integer(0, 1_000_000), "at most this many times", default=None)


@frozen(kw_only=True)
class Verification:
    """The checks that one `POST …/verify` asks for."""

    requests: tuple[Counted, ...] = word(
        array(table(Counted, "{request = {…}, times = n}")),
        "which requests must have arrived, and how many times",
        default=(),
    )
    order: tuple[Wanted, ...] = word(
        array(WANTED),
        "requests that must have arrived in this order, each for the first time",
        default=(),
    )
    resume_chain: bool = word(
        flag(), "require the right Last-Event-ID in every stream request", default=False
    )
    conduct: bool = word(
        flag(), "require that the client has followed the rules of the protocol", default=False
    )
    profile: str = word(text(), "the profile whose rules `conduct` checks", default=HARDENED.name)
    max_attempts: int | None = word(
        integer(0, 1_000_000), "how many consecutive failures `conduct` allows", default=None
    )
    rules_fired: bool = word(flag(), "require that every active rule has fired", default=False)
    gates_opened: bool = word(
        flag(),
        "require that every gate that held something back, except `never`, was opened",
        default=False,
    )


VERIFICATION: Final[Shape[Verification]] = table(Verification, "a verification")


def problems_of(verification: Verification, verify: Verify) -> list[str]:
    """Return all problems that the checks find; raise ValueError if the profile is unknown."""
    checks: list[Callable[[], object]] = []
    for each in verification.requests:
        matching = verify.requests(each.request)
        for count, demand in (
            (each.times, matching.times),
            (each.at_least, matching.at_least),
            (each.at_most, matching.at_most),
        ):
            if count is not None:
                checks.append(partial(demand, count))
    for first, second in pairwise(verification.order):
        checks.append(partial(verify.requests(first).before, verify.requests(second)))
    if verification.resume_chain:
        checks.append(verify.resume_chain)
    if verification.conduct:
        profile = Profile.named(verification.profile)
        checks.append(partial(verify.conduct, profile, max_attempts=verification.max_attempts))
    if verification.rules_fired:
        checks.append(verify.rules_fired)
    if verification.gates_opened:
        checks.append(verify.gates_opened)
    return [problem for check in checks for problem in _found_by(check)]


def _found_by(check: Callable[[], object]) -> Sequence[str]:
    try:
        check()
    except VerificationError as error:
        return error.problems
    return ()
