"""Many simulated jobs, and one that breaks a promise shrunk to its fewest faults."""

import pytest

from arkor_proto import HARDENED, PROFILE_2026_05, PROFILES, Profile
from conformance.simulate.faults import Fault, Kind, as_text, from_text, renumbered
from conformance.simulate.search import Search, searched, shrunk
from conformance.simulate.world import JobTime
from conformance.strict_data import UsageError

SHORT = JobTime(events=12, every=600.0)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_job_of_a_search_keeps_its_promises(profile: Profile) -> None:
    found = searched(Search(jobs=30, profile=profile, time=SHORT))
    assert found.found is None, found.found
    assert (found.jobs, found.opens > 60, found.hours > 60) == (30, True, True)


def test_a_job_is_the_same_in_every_search_of_a_seed() -> None:
    assert Search(seed=3, jobs=5).faults(4) == Search(seed=3, jobs=50, first=2).faults(4)
    assert Search(seed=3).faults(4) != Search(seed=4).faults(4)


def test_a_failure_is_shrunk_to_the_fault_that_causes_it() -> None:
    """Without a timer for silence, one fault is enough, and it needs no event before it."""
    noise = (Fault("cut", 1.0, 3.0), Fault("status", 2.0, 503.0), Fault("late", 3.0, 2.0))
    faults = (*noise, Fault("silence", 4.0, 3.0), Fault("slow", 3.0, 9.0))
    found = shrunk(Search(profile=PROFILE_2026_05, time=SHORT), 0, faults)
    assert [(each.word, each.at) for each in found.shrunk] == [("silence", 1.0)]
    assert "sends nothing more" in found.why


def test_faults_are_read_as_they_are_written() -> None:
    faults = Search(profile=HARDENED).faults(1)
    assert from_text(as_text(faults)) == faults


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "1", '"cut"', "{}", "[" * 100_000),
        *('[["cut"]]', '[["bang", 1, 2]]', '[["cut", 1, 1e999]]', '[["slow", 1, -1]]'),
        *('[["cut", NaN, 1]]', '[["status", 1, 404]]'),
    ],
)
def test_what_is_not_a_list_of_faults_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--faults"):
        from_text(text)


def test_an_open_that_is_taken_out_leaves_no_gap() -> None:
    faults = (Fault("cut", 2.0, 1.0), Fault("end", 5.0, 1.0), Fault("slow", 3.0, 1.0))
    assert sorted(each.at for each in renumbered(faults) if each.kind is not Kind.SLOW) == [1, 2]
