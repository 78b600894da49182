"""How many drivers play at once, and that it changes no verdict."""

import json
import re
import sys
from pathlib import Path

import pytest
from attrs import evolve

from conformance.runner.lanes import FIRST, MOST, Room, helpful, longest_early
from conformance.runner.player import Assignment
from conformance.verdict.time_modes import TimeMode, Timing
from tests.conformance.commandline import kit
from tests.conformance.sample_case import one

MIB = 2**20
SLEEPER = (sys.executable, "-m", "tests.conformance.wrong_drivers.sleeper", "sound")


def verdicts(report: Path) -> dict[str, str]:
    results = json.loads(report.read_text("utf-8"))["results"]
    return {each["case"]: each["verdict"] for each in results}


def test_waiting_is_brought_down_to_what_the_kit_needs_itself() -> None:
    assert helpful([0.2] * 1000, starting=0.1) == 20


def test_no_driver_helps_beyond_the_longest_case() -> None:
    assert helpful([6.0, *[0.3] * 60], starting=0.01) == 4


def test_a_driver_that_starts_slowly_is_started_less_often() -> None:
    waits = [0.3] * 200
    assert helpful(waits, starting=2.0) < helpful(waits, starting=0.2)


def test_a_new_process_for_every_case_leaves_little_to_gain() -> None:
    waits = [0.2] * 1000
    assert helpful(waits, starting=0.5, starts=1000) == FIRST


@pytest.mark.parametrize("waits", [[], [0.0] * 10])
def test_where_nothing_waits_two_are_enough(waits: list[float]) -> None:
    assert helpful(waits, starting=0.3) == FIRST


def test_real_time_takes_as_many_as_the_kit_plays_at_most() -> None:
    assert helpful([2.0] * 2000, starting=0.3) == MOST


@pytest.mark.parametrize(
    ("room", "each", "most"),
    [
        (Room(memory=4096 * MIB, processors=8, files=1024), 64 * MIB, 16),
        (Room(memory=4096 * MIB, processors=8, files=1024), None, 10),
        (Room(memory=None, processors=8, files=1024), 64 * MIB, MOST),
        (Room(memory=4096 * MIB, processors=1, files=1024), 20 * MIB, 16),
        (Room(memory=4096 * MIB, processors=8, files=80), 20 * MIB, 10),
        (Room(memory=10 * MIB, processors=8, files=1024), 64 * MIB, FIRST),
    ],
)
def test_memory_processors_and_open_files_limit_the_drivers(
    room: Room, each: int | None, most: int
) -> None:
    assert room.most(each) == most


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ("[expect]\nsleeps = [1000, 2000]", 0.225),  # a tenth of three quarters
        ("needs = ['clock.virtual']\n[expect]\nconnects = 3", 0.0),
        ("[expect]\nsleeps_differ = true", 0.0),
        ("[expect]\nsleeps = [900000]", 0.0),
    ],
)
def test_only_cases_that_are_played_are_waited_for(body: str, seconds: float) -> None:
    assert Timing(TimeMode.SCALED, 10).waits(one(body)) == pytest.approx(seconds)


def test_every_second_case_is_the_longest_that_is_left_and_none_is_lost() -> None:
    delays = [100, 60_000, 200, 30_000, 300]
    cases = [one(f"needs = ['clock.virtual']\n[expect]\nsleeps = [{ms}]") for ms in delays]
    usual = [Assignment(n, evolve(case, id=f"a.{n}"), "2026-07") for n, case in enumerate(cases)]
    order = longest_early(usual, Timing(TimeMode.SCALED, 10))
    assert [each.place for each in order] == [1, 0, 3, 4, 2]


@pytest.mark.parametrize(
    ("family", "more_than"),
    [("budget.an-*", 1), pytest.param("budget.*", FIRST, marks=pytest.mark.thorough)],
)
def test_a_client_that_really_sleeps_is_played_by_several_drivers_and_judged_the_same(
    family: str, more_than: int, tmp_path: Path
) -> None:
    alone, many = tmp_path / "alone.json", tmp_path / "many.json"
    some = ("--filter", family, "--profile", "2026-07")
    one_lane = kit("run", *some, "-j", "1", "--report", str(alone), "--", *SLEEPER)
    chosen = kit("run", *some, "--report", str(many), "--", *SLEEPER)
    assert "at once" not in one_lane.err
    said = re.search(r"^In scaled time, .*: (\d+) drivers run at once\.$", chosen.err, re.MULTILINE)
    assert said is not None, chosen
    assert int(said[1]) > more_than
    assert verdicts(alone) == verdicts(many)
    assert "pass" in verdicts(many).values()


def test_in_virtual_time_the_number_of_drivers_is_not_told() -> None:
    done = kit("run", "--case", "backoff.begins-anew-after-progress")
    assert (done.status, "at once" in done.err) == (0, False), done.err
