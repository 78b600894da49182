"""The oracle is tested with handmade schedules, exploring with clients broken in unusual ways."""

import re
import shlex
import sys
from pathlib import Path

import pytest
from attrs import evolve
from click.testing import CliRunner, Result

from conformance.casefile.loader import load_files
from conformance.casefile.requirements import PROFILE_NAMES, load_requirements
from conformance.commands.diff_command import Difference, Played, told
from conformance.commands.diff_command import command as diff
from conformance.commands.explore_command import command as explore
from conformance.explore.known import Broken
from conformance.explore.oracle import Attempt, Frame, Kind, Schedule, Trigger, predict
from conformance.explore.schedules import as_case, case_file, roll, smaller
from tests.conformance.commandline import UNSOUND, kit
from tests.conformance.explore.quirk import QUIRKS

ROOT = Path(__file__).parents[3]
DONE = Attempt(frames=(Frame(Kind.COMPLETED, "9"),))
FOUND_SOON = "forgets-the-cursor-after-two-failures"
"""The quirk that takes so few schedules that every run of the tests looks for it."""


def schedule(*attempts: Attempt, profile: str = "2026-07", budget: int = 2) -> Schedule:
    return Schedule(profile=profile, attempts=attempts, max_attempts=budget)


def run_explore(*arguments: str) -> Result:
    return CliRunner().invoke(explore, arguments, standalone_mode=False, catch_exceptions=False)


def test_a_clean_end_after_progress_is_free() -> None:
    expected = predict(schedule(Attempt(frames=(Frame(Kind.LOG, "1"),)), DONE, budget=0))

    assert expected.sleeps == (1000,)
    assert expected.cursors == ("", "1")
    assert expected.result == {"status": "completed"}


def test_failures_double_the_delay_until_the_budget_is_spent() -> None:
    expected = predict(schedule(Attempt(status=503)))

    assert expected.sleeps == (1000, 2000)
    assert expected.result == {"error": "gave_up"}


@pytest.mark.parametrize(("profile", "opens"), [("2026-05", 2), ("2026-07", 1), ("hardened", 1)])
def test_a_ping_is_progress_only_where_the_profile_says_so(profile: str, opens: int) -> None:
    pinged = schedule(Attempt(frames=(Frame(Kind.PING),)), DONE, profile=profile, budget=0)

    assert len(predict(pinged).cursors) == opens


def test_a_replayed_id_is_no_progress_when_only_new_cursors_are() -> None:
    again = Attempt(frames=(Frame(Kind.LOG, "1"),))

    assert predict(schedule(again, profile="hardened", budget=1)).result == {"error": "gave_up"}


def test_an_id_that_a_block_without_data_brought_is_no_progress_again() -> None:
    told = Attempt(frames=(Frame(Kind.ID_ONLY, "1"),), clean=False)
    again = Attempt(frames=(Frame(Kind.LOG, "1"),))

    expected = predict(schedule(told, again, profile="hardened", budget=1))

    assert expected.result == {"error": "gave_up"}


def test_an_id_is_news_behind_a_block_without_data_in_the_same_stream() -> None:
    told = Attempt(frames=(Frame(Kind.ID_ONLY, "1"), Frame(Kind.LOG, "1")))

    expected = predict(schedule(told, DONE, profile="hardened", budget=0))

    assert expected.result == {"status": "completed"}


def test_a_callback_that_throws_drops_the_frames_behind_it_and_reopens() -> None:
    first = Attempt(frames=(Frame(Kind.LOG, "1"), Frame(Kind.LOG, "2")))
    thrown = Schedule(
        profile="2026-05",
        attempts=(first, DONE),
        max_attempts=1,
        trigger=Trigger("throw_in", "log", 1),
    )

    assert predict(thrown).callbacks == ("log", "completed")
    assert predict(thrown).cursors == ("", "1")


def test_a_schedule_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="never ends"):
        predict(schedule(Attempt(frames=(Frame(Kind.LOG),))))


def test_the_same_seed_rolls_the_same_schedule() -> None:
    assert roll(7, 3, "hardened") == roll(7, 3, "hardened") != roll(8, 3, "hardened")


def test_every_step_of_shrinking_makes_a_schedule_smaller() -> None:
    kinds = {Kind.LOG: 0, Kind.NAN: 2, Kind.NOT_AN_OBJECT: 2}

    def weight(of: Schedule) -> int:
        frames = [frame for attempt in of.attempts for frame in attempt.frames]
        odd = sum(kinds.get(frame.kind, 1) for frame in frames)
        odd_ids = sum(frame.id in {"é", "10", "a b"} for frame in frames)
        return (
            4 * len(frames)
            + odd
            + odd_ids
            + sum(attempt != Attempt(status=503) for attempt in of.attempts)
            + sum(not attempt.clean for attempt in of.attempts)
            + len(of.attempts)
            + of.max_attempts
            + (of.trigger is not None)
            + (of.job != "running")
        )

    rolled = roll(1, 0, "2026-05")

    assert {weight(step) < weight(rolled) for step in smaller(rolled)} == {True}


@pytest.mark.parametrize("number", range(30))
def test_a_schedule_written_as_a_case_file_is_read_back(number: int, tmp_path: Path) -> None:
    known = load_requirements()
    case = as_case(f"n-{number}", roll(5, number, PROFILE_NAMES[number % 3]), known)
    path = tmp_path / "found.toml"
    path.write_text(case_file(case), "utf-8")

    assert load_files(known, [path]) == (case,)


def test_the_reference_survives(tmp_path: Path) -> None:
    result = run_explore("--seed", "11", "--schedules", "20", "--out", str(tmp_path / "found.toml"))

    assert (result.return_value, result.output) == (
        0,
        "seed 11: 20 schedules, none broke a rule\n",
    )


@pytest.mark.parametrize(
    "quirk",
    [
        pytest.param(name, marks=() if name == FOUND_SOON else pytest.mark.thorough)
        for name in QUIRKS
    ],
)
def test_a_broken_client_that_no_case_was_made_for_is_found(
    quirk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found = tmp_path / "found.toml"
    driver = (sys.executable, "-m", "tests.conformance.explore.quirk", quirk)
    result = run_explore(
        *("--seed", "1", "--schedules", "500", "--patience", "2", "--no-shrink"),
        *("--out", str(found), "--", *driver),
    )

    assert result.return_value == 1, result.output
    assert len(load_files(load_requirements(), [found])) == 1


def test_the_shards_of_a_seed_play_what_one_run_plays(tmp_path: Path) -> None:
    """The shard that has the failing schedule finds it under its number in the seed."""
    driver = (sys.executable, "-m", "tests.conformance.explore.quirk", FOUND_SOON)

    def explored(name: str, *options: str) -> tuple[int, str]:
        out = str(tmp_path / name)
        done = kit("explore", "--seed", "4", "--no-shrink", "--out", out, *options, "--", *driver)
        return done.status, done.out.partition("\n")[0]

    status, said = explored("whole.toml")
    number = re.fullmatch(r"seed 4: the client failed on schedule (\d+)", said)
    assert (status, bool(number)) == (1, True), said
    place = int(number[1]) if number else 0
    shard = f"{(place - 1) % 3 + 1}/3"
    status, said = explored("part.toml", "--shard", shard)
    assert (
        said == f"seed 4, shard {shard.replace('/', ' of ')}: the client failed on schedule {place}"
    )
    whole, part = (
        (tmp_path / name).read_text().replace(name, "") for name in ("whole.toml", "part.toml")
    )
    assert part == whole
    before = ("--schedules", str(place - 1), "--shard")
    played = [explored("none.toml", *before, f"{n}/3") for n in (1, 2, 3)]
    assert [status for status, _ in played] == [0, 0, 0]
    counts = [re.findall(r": (\d+) schedules?, none", said)[0] for _, said in played]
    assert sum(map(int, counts)) == place - 1


@pytest.mark.thorough
def test_what_is_found_is_small_and_runs_again_by_the_command_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    found = tmp_path / "found.toml"
    driver = (sys.executable, "-m", "conformance.mutants.driver", "resume.starts-over")
    result = run_explore("--profile", "2026-07", "--out", str(found), "--", *driver)
    (case,) = load_files(load_requirements(), [found])
    answers = case.server.answers["stream"]
    (shown,) = re.findall("rerun it alone  arkor-conformance (.+)", result.output)
    again = kit(*shlex.split(shown))

    assert len(answers) == 2
    assert (again.status, "ARK-RES-2 MUST" in again.out) == (1, True), again


REFERENCE = f"{sys.executable} -m conformance.drivers.python.reference"


def mutant(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "conformance.mutants.driver", name)


def run_diff(*arguments: str) -> Result:
    return CliRunner().invoke(diff, arguments, standalone_mode=False, catch_exceptions=False)


@pytest.mark.thorough
def test_two_clients_that_are_the_same_show_no_difference() -> None:
    result = run_diff(REFERENCE, REFERENCE, "--schedules", "5")

    assert "5 schedules under 2026-05, 2026-07, hardened, no difference" in result.output


def test_a_difference_in_which_neither_breaks_a_rule_is_allowed() -> None:
    schedule = roll(1, 0, "2026-07")
    keeps, breaks = (
        Played("1000 ms", ()),
        Played("900 ms", (Broken("ARK-BAK-1", "sleeps", "too short"),)),
    )
    alike = Difference(0, schedule, "sleep 1", keeps, evolve(keeps, seen="900 ms"))
    sentence = "Both behaviours are allowed: the specification leaves this to the client."
    *sides, last = told(alike, load_requirements())
    assert last == sentence
    assert [line.endswith("  follows the rules") for line in sides] == [False, True, True]
    assert sentence not in list(told(evolve(alike, right=breaks), load_requirements()))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("resume.starts-over", "ARK-RES-2"),
        ("budget.takes-a-ping-for-progress", "ARK-BUD-13"),
        ("errors.retries-permanent-statuses", "ARK-ERR-2"),
    ],
)
def test_the_difference_from_a_mutant_is_small_and_names_the_rule_that_it_breaks(
    name: str, rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    parted = tmp_path / "parted.toml"
    chosen = ("--profile", "2026-07", "--schedules", "60", "--out", str(parted))
    result = run_diff(REFERENCE, shlex.join(mutant(name)), *chosen)

    assert result.return_value == 1, result.output
    assert re.search(rf"\n  right  .*  breaks {rule}\n", result.output), result.output
    assert re.search(r"\n  left .*  follows the rules\n", result.output), result.output
    (case,) = load_files(load_requirements(), [parted])
    assert case.requires == (rule,)
    assert len(case.server.answers["stream"]) <= 3


@pytest.mark.thorough
def test_two_clients_that_part_are_shown_where_and_who_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    parted = tmp_path / "parted.toml"
    quirk = f"{sys.executable} -m tests.conformance.explore.quirk trims-the-spaces-of-a-cursor"
    result = run_diff(REFERENCE, quirk, "--schedules", "60", "--no-shrink", "--out", str(parted))

    left = "left   GET stream after 'a b'  follows the rules"
    right = "right  GET stream after 'ab'   breaks ARK-RES-9"
    assert f"{left}\n  {right}" in result.output
    assert len(load_files(load_requirements(), [parted])) == 1


def six_schedules_past(entry: str, folder: Path) -> tuple[str, ...]:
    """Return options to play six schedules and go on past what a baseline with this entry knows."""
    file = folder / "known.toml"
    file.write_text(f"[[known]]\n{entry}\n")
    found = str(folder / "found.toml")
    return ("--schedules", "6", "--profile", "2026-07", "--baseline", str(file), "-o", found)


def test_a_difference_that_a_baseline_knows_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    chosen = six_schedules_past('rule = "ARK-RES-2"\nreason = "fixed in 2.1"', tmp_path)
    result = run_diff(REFERENCE, shlex.join(mutant("resume.starts-over")), *chosen)

    assert (result.return_value, "no other difference" in result.output) == (0, True), result.output
    assert re.search(r"  \dx ARK-RES-2: fixed in 2.1\n", result.output), result.output


def test_exploring_goes_on_past_what_a_baseline_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    entry = 'case = "resume.cursor-follows-the-stream"\nreason = "TODO"'
    chosen = six_schedules_past(entry, tmp_path)
    result = run_explore(*chosen, "--", *mutant("resume.starts-over"))

    assert (result.return_value, "(not counting known failures)" in result.output) == (0, True), (
        result.output
    )
    assert "skipped because of known failures" in result.output
    assert "1 known failure has no reason yet" in result.stderr


@pytest.mark.parametrize(
    ("left", "profile", "said"),
    [
        (
            "declares-one-profile",
            "hardened",
            "the left driver does not declare the profile hardened",
        ),
        ("none", "hardened", "): the driver does not declare rng"),
    ],
)
def test_a_comparison_under_a_profile_that_one_side_lacks_is_refused(
    left: str, profile: str, said: str
) -> None:
    unsound = shlex.join([sys.executable, str(UNSOUND), left])
    done = kit("diff", unsound, REFERENCE, "--schedules", "1", "--profile", profile)

    assert (done.status, said in done.err) == (3, True), done


def test_only_the_profiles_that_both_sides_declare_are_played() -> None:
    unsound = shlex.join([sys.executable, str(UNSOUND), "declares-one-profile"])
    done = kit("diff", REFERENCE, unsound, "--schedules", "1")

    assert "comparing under 2026-05, which both drivers declare" in done.out


def test_a_comparison_says_which_driver_is_none() -> None:
    result = kit("diff", REFERENCE, "/does/not/exist", "--schedules", "1")

    assert (result.status, "the right driver (/does/not/exist)" in result.err) == (3, True)


def test_a_driver_that_is_none_is_said_to_be_none() -> None:
    assert run_explore("--", "/does/not/exist").return_value == 3


@pytest.mark.parametrize("kind", [Kind.NAN, Kind.NOT_AN_OBJECT])
@pytest.mark.parametrize(("profile", "opens"), [("2026-05", 2), ("2026-07", 1), ("hardened", 1)])
def test_data_that_is_not_a_json_object_is_skipped(kind: Kind, profile: str, opens: int) -> None:
    skipped = schedule(Attempt(frames=(Frame(kind),)), DONE, profile=profile, budget=0)

    assert len(predict(skipped).cursors) == opens
    assert predict(skipped).callbacks == (("completed",) if opens > 1 else ())


def test_a_number_beyond_a_double_is_no_reason_to_skip_a_log() -> None:
    beyond = schedule(Attempt(frames=(Frame(Kind.BEYOND),)), DONE, budget=0)

    assert predict(beyond).callbacks == ("log", "completed")


@pytest.mark.parametrize("job", ["completed", "failed", "cancelled"])
@pytest.mark.parametrize("empty", [(), (Frame(Kind.PING),), (Frame(Kind.ID_ONLY, "2"),)])
def test_the_oracle_reads_the_job_after_a_resumed_stream_without_news(
    job: str, empty: tuple[Frame, ...]
) -> None:
    attempts = (Attempt(frames=(Frame(Kind.LOG, "1"),)), Attempt(frames=empty))
    expected = predict(Schedule(profile="hardened", attempts=attempts, max_attempts=0, job=job))
    assert (expected.result, expected.questions, len(expected.cursors)) == ({"status": job}, 1, 2)


@pytest.mark.parametrize("clean", [True, False])
def test_the_oracle_reads_the_job_after_a_lost_terminal_frame(*, clean: bool) -> None:
    lost = (Attempt(frames=(Frame(Kind.NAN, "1"),), clean=clean),)
    asked = Schedule(profile="hardened", attempts=lost, max_attempts=0, job="failed")
    assert predict(asked).result == {"status": "failed"}
    assert predict(evolve(asked, job="running")).result == {"error": "gave_up"}
    assert predict(evolve(asked, profile="2026-07")).questions == 0
