"""Planted faults: each gives a counter-example that replays."""

from pathlib import Path

import pytest

from arkor_proto import HARDENED, PROFILE_2026_05, PROFILES, Profile
from conformance.mutants.patching import planted
from conformance.states.graph import Breach, Exploration
from conformance.states.search import explored, going_round, played
from conformance.states.trace_file import TraceFile, read_trace
from conformance.states.world import World
from conformance.states.worlds import WORLDS
from tests.conformance.states.planted import FAULTS, MUTANTS, counter_example


def again(breach: Breach, world: str, profile: Profile) -> Breach | None:
    def make() -> World:
        return WORLDS[world].world(profile, filtered=True)

    return played(make, breach)


@pytest.mark.parametrize(("name", "world", "profile", "rule"), FAULTS, ids=[f[0] for f in FAULTS])
def test_a_planted_fault_gives_a_counter_example_that_replays(
    name: str, world: str, profile: Profile, rule: str, tmp_path: Path
) -> None:
    found = counter_example(name, world, profile)
    assert found.promise.rule == rule
    path = tmp_path / "trace.json"
    path.write_text(TraceFile.of(world, profile.name, name, found).text, "utf-8")
    with planted(MUTANTS[name]):
        assert again(read_trace(path).breach, world, profile) == found


def test_a_mutant_that_was_taken_out_leaves_nothing_behind() -> None:
    found = counter_example("budget.never-gives-up", "follow", HARDENED)
    found_without = explored(WORLDS["cancel"], HARDENED)
    assert (found.promise.rule, found_without.breach) == ("ARK-BUD-6", None)


def test_a_way_that_goes_round_for_ever_is_found_and_gone_round_again() -> None:
    """The founding document takes pings for progress; without sparing them they are a circle."""

    def make() -> World:
        return WORLDS["follow"].world(PROFILE_2026_05)

    found = going_round(Exploration(make).run(), make, frozenset())
    assert found is not None
    assert found.loop is not None
    assert played(make, found) == found


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_a_bound_on_the_states_cuts(profile: Profile) -> None:
    found = explored(WORLDS["follow"], profile, most=20)
    assert (found.states, found.cut, found.breach) == (20, True, None)
