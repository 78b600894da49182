"""Mutants that mishandle error responses and `Deprecation` headers."""

# ruff: noqa: D401

from collections.abc import Iterable

from attrs import evolve

from arkor_proto import GaveUp, Output, Rejected, Responded, Settle
from conformance.mutants.around import Call, Client
from conformance.mutants.filters import as_no_stream, change_heads, filter_outputs
from conformance.mutants.patching import breaks, change_profiles, header, is_redirect


@breaks("ARK-ERR-2", "ARK-ERR-3", follows=("ARK-ERR-6",))
def retries_permanent_statuses() -> None:
    """The client retries after permanent statuses such as 401."""
    change_profiles(lambda p: evolve(p, permanent_statuses=frozenset({204})), "2026-07", "hardened")


@breaks("ARK-ERR-1", "ARK-ERR-2")
def gives_up_on_404() -> None:
    """`wait()` rejects on a 404, in profiles where the client must retry."""
    change_profiles(
        lambda p: evolve(p, permanent_statuses=p.permanent_statuses | {404}), "2026-05", "2026-07"
    )


@breaks("ARK-ERR-1")
def gives_up_on_401() -> None:
    """`wait()` rejects on a 401 or 403, in the profile that has no permanent statuses."""
    change_profiles(lambda p: evolve(p, permanent_statuses=frozenset({401, 403})), "2026-05")


@breaks("ARK-ERR-1", "ARK-ERR-2", "ARK-ERR-4", "ARK-BUD-2")
def gives_up_on_503() -> None:
    """`wait()` rejects on a 503, although the client must retry."""
    change_profiles(lambda p: evolve(p, permanent_statuses=p.permanent_statuses | {503}))


@breaks("ARK-ERR-4")
def gives_up_on_429() -> None:
    """`wait()` rejects on a 429, although the client must retry."""
    change_profiles(
        lambda p: evolve(p, permanent_statuses=p.permanent_statuses | {429}), "hardened"
    )


@breaks("ARK-ERR-5")
def has_no_grace() -> None:
    """`wait()` rejects on a 404 right after the job is created, without a grace period."""
    change_profiles(lambda profile: evolve(profile, not_found_grace=0.0), "hardened")


@breaks("ARK-ERR-6")
def has_endless_grace() -> None:
    """The client retries for ever after a 404, even when the grace period is over."""
    change_profiles(
        lambda p: evolve(p, permanent_statuses=p.permanent_statuses - {404}), "hardened"
    )


def _is_deprecated(head: Responded) -> bool:
    return header(head.headers, b"deprecation") is not None


@breaks("ARK-ERR-8")
def takes_a_deprecation_for_an_error() -> None:
    """The client treats a stream response with a `Deprecation` header as a failure."""
    change_heads(lambda _, head: as_no_stream(head) if _is_deprecated(head) else head, Call.STREAM)


@breaks(
    "ARK-STR-13",
    "ARK-BUD-2",
    follows=(
        "ARK-SEC-4",
        "ARK-ERR-2",
        "ARK-ERR-3",
        "ARK-ERR-6",
        "ARK-STR-9",
        "ARK-STR-11",
        "ARK-BAK-11",
    ),
)
def reads_error_bodies_as_streams() -> None:
    """The client reads the body of an error response as a stream, whatever the status."""

    def change(_: Client, head: Responded) -> Responded:
        error = head.status >= 300 and not is_redirect(head.status, head.headers)  # noqa: PLR2004
        return evolve(head, status=200) if error else head

    change_heads(change, Call.STREAM)
    change_profiles(lambda p: evolve(p, stream_statuses=frozenset(range(200, 300))))


@breaks("ARK-ERR-1", "ARK-ERR-2", "ARK-ERR-4", "ARK-ERR-11")
def gives_up_on_every_4xx() -> None:
    """`wait()` rejects on any 4xx, even one after which the client must retry."""
    change_profiles(
        lambda p: evolve(p, permanent_statuses=p.permanent_statuses | frozenset(range(400, 500)))
    )


@breaks("ARK-ERR-1", "ARK-ERR-2", "ARK-ERR-4", "ARK-BUD-2")
def gives_up_on_5xx_but_503() -> None:
    """`wait()` rejects on any 5xx except a 503."""
    others = frozenset(range(500, 600)) - {503}
    change_profiles(lambda p: evolve(p, permanent_statuses=p.permanent_statuses | others))


@breaks("ARK-ERR-8")
def refuses_deprecated_calls() -> None:
    """A create or cancel request fails if the response has a `Deprecation` header."""
    change_heads(
        lambda _, head: evolve(head, status=426) if _is_deprecated(head) else head,
        *(Call.CREATE, Call.CANCEL),
    )


@breaks("ARK-ERR-10")
def goes_on_after_giving_up() -> None:
    """After `wait()` has given up, the client opens the stream once more."""

    def change(client: Client, output: Output) -> Iterable[Output]:
        yield output
        match output:
            case Settle(_, Rejected(GaveUp())):
                client.again(Call.STREAM)
            case _:
                pass

    filter_outputs(change)
