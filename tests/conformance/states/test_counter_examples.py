"""Planted faults: each gives a counter-example that replays, and where it can a case that fails."""

import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from arkor_proto import HARDENED, PROFILE_2026_05, PROFILES, Profile
from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.diagnosis.diagnose import REFERENCE
from conformance.explore.schedules import as_case
from conformance.mutants import all_mutants
from conformance.mutants.patching import planted
from conformance.runner.run import Plan, run
from conformance.states.case import NotACase, schedule_of
from conformance.states.graph import Breach, Exploration
from conformance.states.search import explored, going_round, played
from conformance.states.trace_file import TraceFile, read_trace
from conformance.states.world import World
from conformance.states.worlds import WORLDS

MUTANTS = {each.name: each for each in all_mutants()}
FAULTS = [
    ("budget.never-gives-up", "follow", HARDENED, "ARK-BUD-6"),
    ("budget.tries-once-more", "follow", HARDENED, "ARK-BUD-6"),
    ("budget.tries-once-less", "follow", HARDENED, "ARK-BUD-6"),
    ("resume.starts-over", "follow", PROFILE_2026_05, "ARK-RES-2"),
    ("resume.sends-an-empty-cursor", "follow", HARDENED, "ARK-RES-1"),
    ("resume.invents-a-cursor", "follow", HARDENED, "ARK-RES-1"),
    ("create.submits-again-on-a-second-start", "cancel", HARDENED, "ARK-CRE-2"),
    ("create.overlapping-starts-submit-twice", "cancel", HARDENED, "ARK-CRE-3"),
    ("create.repeats-the-create-on-5xx", "cancel", HARDENED, "ARK-CRE-6"),
    ("create.remembers-a-failed-start", "cancel", HARDENED, "ARK-CRE-5"),
    ("create.start-opens-the-stream", "cancel", HARDENED, "ARK-CRE-4"),
    ("create.wait-does-not-submit", "submit", HARDENED, "ARK-CRE-9"),
    ("create.wait-submits-beside-a-create", "submit", HARDENED, "ARK-CRE-3"),
    ("create.changes-the-job-id", "cancel", HARDENED, "ARK-CRE-1"),
    ("create.sends-no-idempotency-key", "cancel", HARDENED, "ARK-CRE-11"),
    ("cancel.does-not-send-the-cancel", "cancel", HARDENED, "ARK-CAN-2"),
    ("cancel.loses-a-cancel-during-the-create", "cancel", HARDENED, "ARK-CAN-7"),
    ("stream.takes-a-break-for-the-result", "follow", HARDENED, "ARK-STR-4"),
    ("stream.takes-the-end-of-the-stream-for-the-result", "follow", HARDENED, "ARK-STR-4"),
    ("stream.opens-a-stream-for-every-wait", "follow", HARDENED, "ARK-STR-6"),
]
SCHEDULED = [fault for fault in FAULTS if fault[0].partition(".")[0] in {"budget", "resume"}]
"""Those whose counter-example is one wait() with faults of its stream, which a case can express."""


def counter_example(name: str, world: str, profile: Profile) -> Breach:
    with planted(MUTANTS[name]):
        found = explored(WORLDS[world], profile, filtered=True).breach
    assert found is not None, f"{name} breaks nothing in {world}"
    return found


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


def verdict(case: Case, command: Sequence[str]) -> str:
    outcome = anyio.run(run, Plan(command=command, cases=[case], patience=5.0))
    return outcome.results[0].verdict.value


def case_of(name: str, world: str, profile: Profile) -> Case:
    found = counter_example(name, world, profile)
    schedule = schedule_of(profile.name, found.moves)
    return as_case("found", schedule, load_requirements(), found.promise.rule)


@pytest.mark.parametrize(
    ("name", "world", "profile"),
    [
        pytest.param(*fault[:3], marks=() if n == 0 else pytest.mark.thorough)
        for n, fault in enumerate(SCHEDULED)
    ],
    ids=[fault[0] for fault in SCHEDULED],
)
def test_the_case_fails_against_the_mutant_and_passes_against_the_reference(
    name: str, world: str, profile: Profile
) -> None:
    case = case_of(name, world, profile)
    broken = (sys.executable, "-m", "conformance.mutants.driver", name)
    assert (verdict(case, broken), verdict(case, REFERENCE)) == ("fail", "pass")


@pytest.mark.parametrize(
    ("moves", "why"),
    [
        (("start",), "calls start"),
        (("follow", "leave"), "leaves a wait"),
        (("follow", "cancel"), "calls cancel"),
        (("follow", "follow"), "calls wait.. twice"),
        (("follow", "create breaks"), "create fails"),
        (("follow", "abort"), "not in a callback"),
        (("abort",), "not in a callback"),
        ((), "never calls wait"),
    ],
)
def test_what_no_schedule_expresses_is_refused_with_the_reason(
    moves: tuple[str, ...], why: str
) -> None:
    with pytest.raises(NotACase, match=why):
        schedule_of("hardened", moves)


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
