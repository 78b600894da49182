"""Mutants of what an answer that is no stream means."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from collections.abc import Callable

from attrs import evolve

from arkor_proto import _wait
from arkor_proto._errors import GaveUp, ResponseError
from arkor_proto._exchange import Answer, Pending
from arkor_proto._messages import Operation
from arkor_proto._session import Session
from arkor_proto._wait import Wait
from arkor_proto._wire import header, stream_request
from conformance.mutants.patching import (
    breaks,
    change_profiles,
    hear_the_present_stream_alone,
    replace,
)


@breaks("ARK-ERR-2", "ARK-ERR-3", follows=("ARK-ERR-6",))
def retries_permanent_statuses() -> None:
    """A 401 is retried as if it would go away."""
    change_profiles(lambda p: evolve(p, permanent_statuses=frozenset({204})), "2026-07", "hardened")


@breaks("ARK-ERR-1", "ARK-ERR-2")
def gives_up_on_404() -> None:
    """A 404 ends the wait where it must not."""
    change_profiles(
        lambda p: evolve(p, permanent_statuses=p.permanent_statuses | {404}), "2026-05", "2026-07"
    )


@breaks("ARK-ERR-1")
def gives_up_on_401() -> None:
    """A 401 ends the wait where no status may."""
    change_profiles(lambda p: evolve(p, permanent_statuses=frozenset({401, 403})), "2026-05")


@breaks("ARK-ERR-1", "ARK-ERR-2", "ARK-ERR-4", "ARK-BUD-2")
def gives_up_on_503() -> None:
    """A 503 ends the wait."""
    change_profiles(lambda p: evolve(p, permanent_statuses=p.permanent_statuses | {503}))


@breaks("ARK-ERR-4")
def gives_up_on_429() -> None:
    """A 429 ends the wait."""
    change_profiles(
        lambda p: evolve(p, permanent_statuses=p.permanent_statuses | {429}), "hardened"
    )


@breaks("ARK-ERR-5")
def has_no_grace() -> None:
    """A 404 right after the create ends the wait."""
    change_profiles(lambda profile: evolve(profile, not_found_grace=0.0), "hardened")


@breaks("ARK-ERR-6")
def has_endless_grace() -> None:
    """A 404 is retried for ever."""
    original = Wait._is_young

    def is_young(wait: Wait, now: float) -> bool:
        return original(wait, now) or wait.profile.not_found_grace > 0

    replace(Wait, "_is_young", is_young)


@breaks("ARK-ERR-8")
def takes_a_deprecation_for_an_error() -> None:
    """An answer that is deprecated is refused."""
    original = Wait._not_a_stream

    def not_a_stream(wait: Wait, pending: Pending) -> ResponseError | None:
        if header(pending.headers, b"deprecation"):
            return ResponseError("this client is deprecated")
        return original(wait, pending)

    replace(Wait, "_not_a_stream", not_a_stream)


@breaks("ARK-STR-13", "ARK-BUD-2")
def reads_error_bodies_as_streams() -> None:
    """Whatever the status, the body is read as a stream."""

    def is_success(_: int) -> bool:
        return True

    replace(_wait, "is_success", is_success)
    change_profiles(lambda p: evolve(p, stream_statuses=frozenset(range(200, 600))))


@breaks("ARK-ERR-1", "ARK-ERR-2", "ARK-ERR-4", "ARK-ERR-11")
def gives_up_on_every_4xx() -> None:
    """Any 4xx ends the wait: the client is to blame, says the class."""
    change_profiles(
        lambda p: evolve(p, permanent_statuses=p.permanent_statuses | frozenset(range(400, 500)))
    )


@breaks("ARK-ERR-1", "ARK-ERR-2", "ARK-ERR-4", "ARK-BUD-2")
def gives_up_on_5xx_but_503() -> None:
    """Of the 5xx only a 503 is retried."""
    others = frozenset(range(500, 600)) - {503}
    change_profiles(lambda p: evolve(p, permanent_statuses=p.permanent_statuses | others))


@breaks("ARK-ERR-8")
def refuses_deprecated_calls() -> None:
    """A create or a cancel whose answer is deprecated has failed."""
    created, cancelled = Session._created, Session._cancelled

    def strict(original: Callable[[Session, Answer], None]) -> Callable[[Session, Answer], None]:
        def take(session: Session, answer: Answer) -> None:
            deprecated = header(answer.headers, b"deprecation") is not None
            original(session, evolve(answer, status=426) if deprecated else answer)

        return take

    replace(Session, "_created", strict(created))
    replace(Session, "_cancelled", strict(cancelled))


@breaks("ARK-ERR-10")
def goes_on_after_giving_up() -> None:
    """The wait rejects, and the stream is opened once more behind the caller's back."""
    original = Wait._reject

    def reject(wait: Wait, error: Exception) -> None:
        original(wait, error)
        if isinstance(error, GaveUp) and wait.job is not None:
            request = stream_request(wait.endpoint, wait.job.id, wait.reader.cursor)
            wait.outbox.send(Operation.FOLLOW, request)

    replace(Wait, "_reject", reject)
    hear_the_present_stream_alone()
