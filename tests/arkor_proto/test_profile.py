"""The three revisions as named rules: what the published table says, cell by cell."""

import attrs
import pytest

from arkor_proto import (
    HARDENED,
    PROFILE_2026_05,
    PROFILE_2026_07,
    PROFILES,
    CallbackErrors,
    Profile,
    Progress,
    Session,
    SessionConfig,
)
from conformance.states.snapshot import snapshot
from tests.arkor_proto.wire_samples import ENDPOINT, SPEC

AMENDED = {"name", "progress", "callback_errors", "permanent_statuses"}


def test_the_profiles_are_three_with_names_of_their_own() -> None:
    assert [profile.name for profile in PROFILES] == ["2026-05", "2026-07", "hardened"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_found_by_its_name(profile: Profile) -> None:
    assert Profile.named(profile.name) is profile


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'2026-06' is unknown.*2026-05, 2026-07, hardened"):
        Profile.named("2026-06")


def test_progress_gets_narrower_from_revision_to_revision() -> None:
    assert [profile.progress for profile in PROFILES] == list(Progress)


def test_only_the_founding_document_retries_after_a_callback_error() -> None:
    errors = [profile.callback_errors for profile in PROFILES]
    assert errors == [CallbackErrors.RETRY, CallbackErrors.REJECT, CallbackErrors.REJECT]


def test_the_founding_document_knows_no_permanent_status() -> None:
    assert PROFILE_2026_05.permanent_statuses == frozenset()


def test_the_amended_document_knows_four_permanent_statuses() -> None:
    assert PROFILE_2026_07.permanent_statuses == {401, 403, 410, 426}


def test_the_hardened_profile_gives_up_at_4xx_but_for_the_transient_ones() -> None:
    client_errors = {status for status in HARDENED.permanent_statuses if 400 <= status < 500}
    assert set(range(400, 500)) - client_errors == {408, 409, 425, 429}


def test_the_hardened_profile_ends_at_204() -> None:
    assert HARDENED.permanent_statuses - set(range(400, 500)) == {204}


def test_only_the_hardened_profile_insists_on_200_and_the_media_type() -> None:
    rules = [(len(p.stream_statuses), p.requires_event_stream) for p in PROFILES]
    assert rules == [(100, False), (100, False), (1, True)]


def test_only_the_hardened_profile_has_a_byte_timer_and_it_is_45_seconds() -> None:
    assert [profile.byte_timeout for profile in PROFILES] == [None, None, 45.0]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_progress_timer_is_off_by_default(profile: Profile) -> None:
    assert profile.progress_timeout is None


@pytest.mark.parametrize(
    "rule",
    [
        "honours_server_delay",
        "spreads_clean_end",
        "idempotency_key",
        "not_found_grace",
        "refreshes_token",
    ],
)
def test_the_remaining_rules_are_the_hardened_profiles_alone(rule: str) -> None:
    assert [bool(getattr(profile, rule)) for profile in PROFILES] == [False, False, True]


def test_the_two_published_revisions_differ_in_three_rules() -> None:
    old = attrs.asdict(PROFILE_2026_05)
    new = attrs.asdict(PROFILE_2026_07)
    assert {name for name in old if old[name] != new[name]} == AMENDED


def test_the_founding_document_is_the_default() -> None:
    config = SessionConfig(endpoint=ENDPOINT, job=SPEC)
    first, second = Session(config), Session(config, profile=PROFILE_2026_05)
    assert snapshot(first) == snapshot(second)


def test_a_profile_with_a_key_needs_one() -> None:
    config = SessionConfig(endpoint=ENDPOINT, job=SPEC)
    with pytest.raises(ValueError, match="hardened: the session needs an idempotency_key"):
        Session(config, profile=HARDENED)
