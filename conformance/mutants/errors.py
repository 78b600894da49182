"""Mutants of what an answer that is no stream means."""

# Mutants reach into what nobody else may touch.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from attrs import evolve

from arkor_proto import _wait
from arkor_proto._errors import ResponseError
from arkor_proto._exchange import Pending
from arkor_proto._wait import Wait
from arkor_proto._wire import header
from conformance.mutants.surgery import breaks, change_profiles, replace


@breaks("ARK-ERR-2", "ARK-ERR-3")
def retries_permanent_statuses() -> None:
    """A 401 is retried as if it would go away."""
    change_profiles(lambda p: evolve(p, permanent_statuses=frozenset({204})), "2026-07", "hardened")


@breaks("ARK-ERR-1", "ARK-ERR-2", "ARK-BUD-2")
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
