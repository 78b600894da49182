"""The whole session, explored: every move in every joint state that can be reached.

`arkor-conformance states` explores the same worlds. Here its numbers are not shown, but each of them
covers the core.
"""

import pytest

from arkor_proto import HARDENED, PROFILE_2026_05, PROFILE_2026_07, PROFILES, Profile
from conformance.states.graph import Exploration, circles, without_progress
from conformance.states.search import explored
from conformance.states.worlds import WORLDS

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
mostly_thorough = pytest.mark.parametrize(
    "profile",
    [
        pytest.param(profile, marks=() if profile is HARDENED else pytest.mark.thorough)
        for profile in PROFILES
    ],
    ids=lambda profile: profile.name,
)
"""For the largest graphs: one profile in every run, the others in a thorough one."""


def check(name: str, profile: Profile, least: int) -> None:
    """Explore a world, and expect that it is of some size and that nothing is broken in it."""
    found = explored(WORLDS[name], profile)
    assert (found.breach, found.cut, found.states > least) == (None, False, True)


@mostly_thorough
def test_the_life_of_a_job_holds_every_promise(profile: Profile) -> None:
    check("submit", profile, 200)


@everywhere
def test_the_cancel_of_a_job_holds_every_promise(profile: Profile) -> None:
    check("cancel", profile, 10)


@mostly_thorough
def test_everything_at_once_on_a_job_that_exists_holds_every_promise(profile: Profile) -> None:
    check("leave", profile, 200)


@everywhere
def test_from_every_state_the_session_can_come_to_rest(profile: Profile) -> None:
    check("follow", profile, 200)


@pytest.mark.thorough
@everywhere
def test_a_cancel_beside_a_wait_holds_every_promise(profile: Profile) -> None:
    check("cancel-wait", profile, 200)


def test_a_backend_that_forgets_does_not_go_round_in_circles_when_hardened() -> None:
    check("resend", HARDENED, 200)


def test_only_pings_and_noise_go_round_in_circles_in_the_founding_document() -> None:
    graph = Exploration(lambda: WORLDS["follow"].world(PROFILE_2026_05)).run()
    assert circles(without_progress(graph))
    spared = WORLDS["follow"].spared(PROFILE_2026_05)
    assert spared
    assert circles(without_progress(graph, spared)) == []


@pytest.mark.thorough
def test_a_backend_that_forgets_goes_round_in_circles_before_hardening() -> None:
    graph = Exploration(lambda: WORLDS["resend"].world(PROFILE_2026_07)).run()
    assert circles(without_progress(graph))
