"""What the events of a job add up to: the trend of its losses, and the summary at its end."""

import math
from itertools import pairwise

import pytest

from arkor_proto import TrainingCompleted, TrainingFailed, TrainingJob, TrainingLog
from arkor_proto.cli.figures import (
    BLOCKS,
    Figures,
    artifact_name,
    duration,
    figure,
    max_steps_of,
    sparkline,
)

STARTED = "2026-05-01T10:00:00Z"
COMPLETED = "2026-05-01T12:05:07+00:00"


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        ([], 8, ""),
        ([1.0], 0, ""),
        ([1.0], 8, "▁"),
        ([2.0, 2.0, 2.0], 8, "▁▁▁"),
        ([float(value) for value in range(8)], 8, BLOCKS),
        ([float(value) for value in range(16)], 4, "▁▃▆█"),
        ([-1e308, 1e308], 8, "▁▁"),
    ],
)
def test_a_sparkline_goes_from_the_least_to_the_most(
    values: list[float], width: int, line: str
) -> None:
    assert sparkline(values, width) == line


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.9, "0 s"), (59.9, "59 s"), (151.0, "2 min 31 s"), (11_107.0, "3 h 5 min")],
)
def test_a_duration_is_written_as_one_says_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_figure_is_short_and_a_whole_number_is_whole() -> None:
    assert [figure(None), figure(1234567), figure(0.123456)] == ["-", "1234567", "0.1235"]


@pytest.mark.parametrize(
    ("artifact", "name"),
    [
        ({"path": "out/a.bin", "size": 3}, "out/a.bin"),
        ({"name": "", "url": "https://d.example/a"}, "https://d.example/a"),
        ({"kind": "adapter", "step": 4, "rate": 0.5}, "kind adapter, step 4, rate 0.5"),
        ({"kind": "a", "token": "tok-secret"}, "kind a, token ***"),
        ("a.bin", "a.bin"),
        ([1], "[1]"),
    ],
)
def test_an_artifact_is_called_by_its_name_or_by_what_it_says(artifact: object, name: str) -> None:
    assert artifact_name(artifact) == name


@pytest.mark.parametrize(
    ("config", "steps"),
    [({"maxSteps": 9}, 9), ({"maxSteps": 0}, None), ({"maxSteps": True}, None), ({}, None)],
)
def test_the_number_of_steps_is_what_the_configuration_says(
    config: dict[str, object], steps: int | None
) -> None:
    assert max_steps_of(config) == steps


def test_the_losses_of_a_long_job_are_thinned_out_evenly() -> None:
    figures = Figures()
    for step in range(10_000):
        figures.take(TrainingLog(step=step, loss=float(step)), 0.0)
    figures.take(TrainingLog(step=10_000, loss=math.nan), 0.0)
    gaps = {later - earlier for earlier, later in pairwise(figures.losses)}
    assert len(figures.losses) <= 512
    assert gaps <= {32.0, 33.0}


def test_the_rate_is_that_of_the_latest_steps() -> None:
    figures = Figures()
    assert figures.steps_per_second is None
    for second in range(100):
        figures.take(TrainingLog(step=second * (1 if second < 50 else 2)), float(second))
    assert figures.steps_per_second == 2.0


def test_a_figure_that_a_log_lacks_stays_as_it_was() -> None:
    figures = Figures()
    figures.take(TrainingLog(step=1, loss=2.0, eval_loss=3.0, learning_rate=0.1), 0.0)
    figures.take(TrainingLog(), 1.0)
    assert (figures.step, figures.eval_loss, figures.learning_rate) == (1, 3.0, 0.1)


def test_the_summary_has_the_duration_the_losses_the_metrics_and_the_artifacts() -> None:
    figures = Figures()
    figures.take(TrainingLog(step=1, loss=2.0), 0.0)
    figures.take(TrainingLog(step=9, loss=0.5), 0.0)
    names = tuple({"name": f"{number}.bin"} for number in range(23))
    figures.take(TrainingCompleted(metrics={"loss": 0.25, "n": [1]}, artifacts=names), 0.0)
    lines = figures.summary(TrainingJob(id="j", started_at=STARTED, completed_at=COMPLETED), 3.0)
    assert lines[:4] == [
        "  duration   2 h 5 min",
        "  loss       2 at step 1, 0.5 at step 9",
        "  metrics    loss 0.25, n [1]",
        "  artifacts  0.bin",
    ]
    assert lines[-2:] == ["             19.bin", "             and 3 more"]


@pytest.mark.parametrize(
    ("started", "completed"),
    [
        (None, None),
        ("yesterday", "today"),
        (STARTED, COMPLETED.removesuffix("+00:00")),
        (COMPLETED, STARTED),
    ],
)
def test_a_job_that_does_not_say_how_long_it_took_took_as_long_as_it_was_followed(
    started: str | None, completed: str | None
) -> None:
    figures = Figures()
    figures.take(TrainingFailed(error="no"), 0.0)
    job = TrainingJob(id="j", started_at=started, completed_at=completed)
    assert figures.summary(job, 61.0) == ["  duration   1 min 1 s"]
