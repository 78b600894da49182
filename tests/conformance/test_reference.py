"""The reference client conforms, and the screen of a run explains itself."""

import pytest

from tests.conformance.commandline import kit


def test_the_whole_catalogue_passes_and_says_so_in_a_few_lines() -> None:
    done = kit("run", "-j", "2")
    assert done.status == 0, done.out
    assert done.out.count("CONFORMS") == 3
    assert len(done.out.splitlines()) < 10


def test_one_case_can_be_run_alone() -> None:
    done = kit("run", "--case", "create.second-start-sends-nothing", "--profile", "hardened")
    assert (done.status, "1 pass" in done.out) == (0, True)


@pytest.mark.parametrize("isolate", [(), ("--isolate",)])
def test_a_driver_process_per_case_says_the_same(isolate: tuple[str, ...]) -> None:
    done = kit("run", "--filter", "abort.*", "--profile", "2026-05", *isolate)
    assert (done.status, "CONFORMS" in done.out) == (0, True)


def test_nothing_selected_is_a_status_of_its_own() -> None:
    done = kit("run", "--filter", "nothing.like-this")
    assert (done.status, "no case was selected" in done.err) == (4, True)


def test_an_unknown_case_is_a_usage_error_with_the_nearest_one() -> None:
    done = kit("run", "--case", "create.secondstart-sends-nothing")
    assert done.status == 3
    assert "did you mean 'create.second-start-sends-nothing'?" in done.err


def test_an_unknown_option_is_a_usage_error() -> None:
    assert kit("run", "--fast").status == 3


def test_the_smoke_test_calls_the_reference_sound() -> None:
    done = kit("smoke")
    assert (done.status, "the driver is sound" in done.out) == (0, True)


def test_a_case_can_be_shown_with_its_rules() -> None:
    done = kit("show", "create.second-start-sends-nothing")
    assert done.status == 0
    assert "ARK-CRE-2" in done.out
    assert "arkor-conformance run --case" in done.out


def test_every_must_has_a_case_and_a_mutant_or_a_reason() -> None:
    done = kit("coverage", "--holes")
    assert (done.status, "0 holes" in done.out) == (0, True), done.out


@pytest.mark.parametrize(
    "mutant",
    [
        "create.submits-again-on-a-second-start",
        "resume.starts-over",
        "backoff.waits-linearly",
        "budget.tries-once-more",
        "abort.abort-cancels-the-job",
    ],
)
def test_a_broken_client_is_caught_by_a_rule_that_it_breaks(mutant: str) -> None:
    done = kit("mutants", "--mutant", mutant)
    assert done.status == 0, done.out
    assert "1 of 1 mutants caught for the right reason" in done.out
