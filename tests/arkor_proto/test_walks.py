"""Long walks through the world of a session, where the exploration stops at the first repetition.

Hypothesis chooses the way and shortens it when a promise breaks.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkor_proto import PROFILES, Profile
from conformance.states.samples import SPEC
from conformance.states.snapshot import snapshot
from conformance.states.world import APPLICATION, World, world

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
CHOICES = st.lists(st.integers(0, 10**6), max_size=60)


def walk(state: World, choices: list[int]) -> World:
    """Take one of the possible moves for each choice; the world checks every step."""
    for choice in choices:
        moves = list(state.moves())
        state.move(moves[choice % len(moves)])
    return state


@everywhere
@given(choices=CHOICES)
def test_every_walk_keeps_every_promise(profile: Profile, choices: list[int]) -> None:
    walk(world(profile, SPEC, says=tuple(APPLICATION)), choices)


@everywhere
@given(choices=CHOICES)
def test_every_walk_on_a_job_that_exists_keeps_every_promise(
    profile: Profile, choices: list[int]
) -> None:
    walk(world(profile, "job-1", says=("follow", "cancel", "abort", "leave")), choices)


@everywhere
@given(choices=CHOICES)
def test_a_misuse_anywhere_on_a_walk_changes_nothing(profile: Profile, choices: list[int]) -> None:
    state = world(profile, SPEC, says=("start", "follow", "cancel", "leave"))
    walk(state, choices).check_misuse()


@everywhere
@given(choices=CHOICES)
def test_the_same_walk_ends_in_the_same_state(profile: Profile, choices: list[int]) -> None:
    ends = [walk(world(profile, says=tuple(APPLICATION)), choices) for _ in range(2)]
    assert snapshot(ends[0].session) == snapshot(ends[1].session)
