"""Short soaks: each promise holds, and a promise that is broken on purpose is noticed."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Final

import pytest

from arkor_proto.cli.shell import CommandError
from mock_server.strict.shapes import is_array, is_table
from tests.forked import ROOT
from tests.soak.checks import LAST, JobCheck, Tally
from tests.soak.command import main
from tests.soak.memory import Growth, Kind, fitted
from tests.soak.running import raise_the_limit

_LEVEL: Final = 100e6
_TEN_MINUTES: Final = 600


def samples(growth: float, noise: float, seconds: int = _TEN_MINUTES) -> list[tuple[float, float]]:
    """Return memory that grows by a share of its level in an hour."""
    random = Random(1)  # noqa: S311 - noise
    return [
        (float(at), _LEVEL * (1 + growth * at / 3600 + random.gauss(0, noise)))
        for at in range(seconds)
    ]


def soak(*arguments: str) -> "subprocess.Popen[str]":
    """Start the command."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.soak", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("growth", [0.0, 0.05, -0.5])
def test_memory_that_stays_is_flat(growth: float) -> None:
    slope = fitted(samples(growth, 0.001))
    assert slope is not None
    assert slope.hourly == pytest.approx(growth, abs=0.03)  # of the mean, not of the start
    assert slope.growth is Growth.FLAT


def test_memory_that_grows_by_a_fifth_in_an_hour_is_growing() -> None:
    slope = fitted(samples(0.2, 0.001))
    assert slope is not None
    assert slope.growth is Growth.GROWING


@pytest.mark.parametrize(("growth", "seconds"), [(0.0, 600), (0.2, 600), (5.0, 30)])
def test_noise_or_a_short_run_leaves_a_small_growth_undecided(growth: float, seconds: int) -> None:
    slope = fitted(samples(growth, 0.2, seconds))
    assert slope is not None
    assert slope.growth is Growth.UNDECIDED


def test_resident_memory_may_grow_by_a_tenth_in_the_measured_time() -> None:
    growths: list[Growth] = []
    for hourly in (0.0, 0.3, 0.8):
        slope = fitted(samples(hourly, 0.001), Kind.RESIDENT)
        assert slope is not None
        growths.append(slope.growth)
    assert growths == [Growth.FLAT, Growth.BOUNDED, Growth.GROWING]


def test_a_few_samples_have_no_slope() -> None:
    assert fitted(samples(0.0, 0.1, 19)) is None


def heard(*numbers: int | None, cursor: int = LAST + 1) -> dict[str, int]:
    """Return what a check counts; None is a lost stream."""
    check = JobCheck(Tally())
    for number in numbers:
        if number is None:
            check.reconnect()
        else:
            check.hear(number)
    check.end(str(cursor))
    return {name: count for name, count in check.tally.counts.items() if count}


def test_a_job_whose_events_all_come_once_is_complete() -> None:
    found = heard(*range(4), None, *range(4, LAST + 1))
    assert found == {"frames": LAST + 1, "reconnects": 1, "completed": 1}


def test_an_event_that_did_not_come_is_lost() -> None:
    assert heard(0, 1, 3, *range(4, LAST + 1))["lost"] == 1
    assert heard(0, None, *range(3, LAST + 1))["lost"] == 2


def test_an_event_that_comes_again_over_another_stream_is_duplicated() -> None:
    assert heard(0, 1, None, 1, *range(2, LAST + 1))["duplicated"] == 1
    assert heard(0, 1, 0, *range(2, LAST + 1))["duplicated"] == 1


def test_an_event_that_comes_twice_over_one_stream_may_be_the_backends_doing() -> None:
    found = heard(0, 1, 1, *range(2, LAST + 1))
    assert found["repeated"] == 1
    assert "duplicated" not in found


def test_what_is_missing_before_a_cancel_is_lost() -> None:
    """The frame that ends a cancelled job is not called back: with the id 4 it comes after three."""
    assert heard(0, 1, 2, cursor=4) == {"frames": 3, "cancelled": 1}
    assert heard(0, 1, cursor=4) == {"frames": 2, "cancelled": 1, "lost": 1}


def runs_of(path: Path) -> list[dict[str, object]]:
    told: object = json.loads(path.read_text("utf-8"))
    runs = told.get("runs") if is_table(told) else None
    assert is_array(runs)
    return [dict(each) for each in runs if is_table(each)]


@pytest.mark.timeout(120)
def test_a_short_soak_keeps_every_promise_on_each_carrier(tmp_path: Path) -> None:
    figures = tmp_path / "soak.json"
    run = soak(
        *("asyncio", "trio", "threads", "--followers", "20", "--seconds", "2"),
        *("--json", str(figures)),
    )
    output, errors = run.communicate()
    assert run.returncode == 0, output + errors
    assert output.count("every promise kept") == 3
    found = runs_of(figures)
    assert [each["carrier"] for each in found] == ["asyncio", "trio", "threads"]
    for each in found:
        assert (each["lost"], each["duplicated"], each["broken"]) == (0, 0, [])
        assert each["followers"] == 20
        assert isinstance(each["jobs"], int)
        assert each["jobs"] >= 20
        assert is_table(each["faults"])
        assert sum(isinstance(n, int) and n > 0 for n in each["faults"].values()) >= 5


@pytest.mark.timeout(120)
def test_promises_that_are_broken_on_purpose_are_noticed() -> None:
    plants = [
        part for each in ("loss", "double", "descriptor", "event") for part in ("--plant", each)
    ]
    run = soak("asyncio", "--followers", "20", "--seconds", "3", *plants)
    output, errors = run.communicate()
    assert run.returncode == 1, output + errors
    broken = output.partition("BROKEN: ")[2]
    for each in ("events lost", "events duplicated", "descriptors at the end"):
        assert each in broken


def started(run: "subprocess.Popen[str]") -> int:
    """Wait until the mock of a run is there; return its process."""
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    until = time.monotonic() + 30
    while time.monotonic() < until and run.poll() is None:
        for child in children.read_text().split():
            if b"serve" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        time.sleep(0.05)
    pytest.fail("the mock did not start")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "carrier", ["threads", pytest.param("asyncio", marks=pytest.mark.thorough)]
)
def test_ctrl_c_ends_a_soak_with_what_was_seen_so_far(carrier: str) -> None:
    run = soak(carrier, "--followers", "5", "--seconds", "600")
    started(run)
    time.sleep(1.5)
    run.send_signal(signal.SIGINT)
    output, errors = run.communicate()
    assert run.returncode == 130, output + errors
    assert output.startswith(f"{carrier}: ")
    assert "lost" in output
    assert errors.count("\n") == 1
    assert "interrupted by SIGINT" in errors


@pytest.mark.timeout(120)
@pytest.mark.parametrize("carrier", ["trio", pytest.param("threads", marks=pytest.mark.thorough)])
def test_a_mock_that_is_killed_ends_a_soak_with_a_message(carrier: str) -> None:
    run = soak(carrier, "--followers", "5", "--seconds", "600")
    mock = started(run)
    time.sleep(1.5)
    os.kill(mock, signal.SIGKILL)
    output, errors = run.communicate()
    assert run.returncode == 3, output + errors
    assert "the mock ended after" in errors
    assert errors.count("\n") == 1
    assert output.startswith(f"{carrier}: ")


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (("gevent",), "'gevent' is not one of 'asyncio', 'trio', 'threads'"),
        (("--followers", "0"), "'0' is not a whole number"),
        (("--seconds", "soon"), "'soon' is not a number of seconds"),
        (("--seconds", "0"), "'0' is not a number of seconds"),
        (("--seed", "-1"), "'-1' is not a whole number"),
        (("--plant", "tree"), "'tree' is not one of"),
        (("--json", "missing/soak.json"), "missing/soak.json"),
    ],
)
def test_bad_input_is_refused_in_one_line(
    given: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(given) == 2
    _, errors = capsys.readouterr()
    assert what in errors
    assert errors.count("\n") == 1


def test_too_many_followers_for_the_descriptors_are_refused() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("descriptors have no limit here")
    with pytest.raises(CommandError, match=rf"the hard limit is {hard}"):
        raise_the_limit(hard)
