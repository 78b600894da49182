"""Clients that really sleep: what is judged, what is not, and that the reports say so."""

import sys

import pytest

from conformance.casefile.model import Case
from conformance.drive.process import DriverUnusable
from conformance.drive.protocol import Identity
from conformance.expect.delays import Delay, Gaps, SleepsSpread
from conformance.strict_data import ReadingError
from conformance.trace.events import Called, Requested, Slept, Trace
from conformance.verdict.time_modes import TimeMode, Timing
from mock_server import ScriptedFrame
from tests.conformance.commandline import judge, kit
from tests.conformance.sample_case import one
from tests.forked import Finished

SCALED = Timing(TimeMode.SCALED, 10)
REAL = Timing(TimeMode.REAL)
DELAYS = "needs = ['clock.virtual']\nconfig.initial_ms = 100\n[expect]\nsleeps = [100, 200]\n"
SECONDS_OF_A_DAY = 86_400.0
SPREAD = "sleeps_spread = {{ of = 1000, samples = {samples}, at_least = 10, over = 100 }}"


def sleeper(*arguments: str, client: str = "sound") -> Finished:
    driver = (sys.executable, "-m", "tests.conformance.wrong_drivers.sleeper", client)
    return kit("run", "-j", "8", *arguments, "--", *driver)


def identity(*capabilities: str) -> Identity:
    return Identity(
        implementation="a client",
        version="1",
        profiles=("2026-05",),
        capabilities=frozenset(capabilities),
        declared_gaps={},
    )


def trace_of_opens(*milliseconds: float) -> Trace:
    trace = Trace()
    trace.append(Called("wait"), 0.0)
    for n, ms in enumerate(milliseconds, 1):
        trace.append(Requested("stream", n, "GET", "/", (), "", n), ms / 1000)
    return trace


def given_up(case: Case, timing: Timing) -> list[str]:
    return [each.word for each in timing.adapt(case).unjudged]


@pytest.mark.thorough
def test_a_client_that_really_sleeps_conforms_in_scaled_time() -> None:
    families = ("--filter", "backoff.*", "--filter", "budget.*", "--filter", "resume.cursor*")
    done = sleeper(*families, "--profile", "2026-07")
    assert (done.status, done.out.count("conforms in the")) == (0, 1), done.out
    assert "scaled time, with delays divided by 10" in done.out
    assert "of sleeps judged in part, by lower bounds" in done.out


def test_a_client_that_really_sleeps_conforms_in_real_time() -> None:
    done = sleeper("--time", "real", "--filter", "a-retry-field", "--profile", "2026-05")
    assert (done.status, "1 pass" in done.out) == (0, True), done.out
    assert "judged in part, by the number of delays only" in done.out
    assert "real time" in done.out


@pytest.mark.parametrize(
    "client", ["halves", "backoff.does-not-wait", "backoff.is-one-power-behind"]
)
@pytest.mark.thorough
def test_a_client_that_waits_too_little_is_caught_in_scaled_time(client: str) -> None:
    done = sleeper("--case", "backoff.begins-anew-after-progress", client=client)
    assert (done.status, "ms after the previous request" in done.out) == (1, True), done.out


def test_the_reference_sleeps_for_real_when_it_is_asked_to() -> None:
    done = kit("run", "--time", "scaled", "--case", "backoff.begins-anew-after-progress")
    assert (done.status, "scaled time" in done.out) == (0, True), done.out


def test_a_driver_that_does_not_sleep_for_real_though_asked_is_told_so() -> None:
    done = judge("none", "--time", "scaled")
    assert (done.status, "declares clock.virtual, but --time scaled" in done.err) == (3, True), done


@pytest.mark.parametrize(
    ("asked", "capabilities", "mode", "divisor"),
    [
        (None, ("clock.virtual",), TimeMode.VIRTUAL, 1),
        (None, ("config.backoff",), TimeMode.SCALED, 10),
        (None, (), TimeMode.SCALED, 1),
        (TimeMode.REAL, ("config.backoff",), TimeMode.REAL, 1),
    ],
)
def test_the_time_follows_from_the_driver_and_from_what_was_asked(
    asked: TimeMode | None, capabilities: tuple[str, ...], mode: TimeMode, divisor: int
) -> None:
    assert Timing.of(asked, identity(*capabilities)) == Timing(mode, divisor)


def test_real_time_from_a_driver_with_a_virtual_clock_is_refused() -> None:
    with pytest.raises(DriverUnusable, match="the driver must really sleep"):
        Timing.of(TimeMode.REAL, identity("clock.virtual"))


def test_virtual_time_changes_nothing_of_a_case() -> None:
    case = one(DELAYS)
    assert Timing(TimeMode.VIRTUAL).adapt(case).case is case


def test_scaled_delays_are_a_tenth_and_so_are_the_bounds() -> None:
    case = SCALED.adapt(one(DELAYS)).case
    assert (case.config["initial_ms"], case.config["max_ms"]) == (10, 6000)
    assert [each.assertion for each in case.expect] == [Gaps((7.5, 15.0))]
    assert case.needs == ()


def test_in_real_time_delays_are_only_counted() -> None:
    case = REAL.adapt(one(DELAYS)).case
    assert case.config["initial_ms"] == 100
    assert [each.assertion for each in case.expect] == [Gaps((0.0, 0.0))]


@pytest.mark.parametrize("timing", [SCALED, REAL])
def test_what_is_not_judged_is_named(timing: Timing) -> None:
    body = f"{DELAYS}sleeps_differ = true\n{SPREAD.format(samples=12)}\nnever = ['sleep#4']\n"
    assert given_up(one(body), timing) == [
        "sleeps",
        "sleeps_differ",
        "sleeps_spread",
        "never sleep#4",
    ]


@pytest.mark.parametrize(
    "body",
    [
        "[expect]\nconnects = 1_000_000_000_000_000",
        "[expect]\nrequests = {stream = 1_000_000_000_000_000}",
        "config.max_attempts = 1_000_000_000_000_000\n[expect]\nconnects = 1",
        "[expect]\nnever = ['stream#999999999']",
    ],
)
def test_a_case_may_allow_any_number_of_opens(body: str) -> None:
    """The kit adds up delays to see whether they are too long; that must terminate."""
    assert SCALED.adapt(one(f"needs = ['config.backoff']\n{body}")).silence < SECONDS_OF_A_DAY


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("hold = ['sleep#1']\n[expect]\nconnects = 1", "the case holds a sleep"),
        ("step = [{do = 'elapse', ms = 10}]\n[expect]\nconnects = 1", "lets time pass"),
        ("step = [{do = 'until', event = 'sleep#1'}]\n[expect]\nconnects = 1", "a step waits"),
        ("needs = ['clock.virtual']\n[expect]\nconnects = 1", "the client's own clock"),
        ("[expect]\nsleeps = [900000]", "the delays of the case take"),
        ("[expect]\nsleeps_differ = true", "nothing is left to judge"),
    ],
)
def test_a_case_that_needs_virtual_time_does_not_apply_and_says_why(body: str, why: str) -> None:
    assert why in SCALED.adapt(one(body)).unplayable


def test_a_hint_that_must_be_ignored_is_not_judged_by_lower_bounds() -> None:
    body = "server.stream = [{status = 503, retry_after = 30}]\n[expect]\nconnects = 2\nsleeps = [1000]"
    adapted = SCALED.adapt(one(body))
    assert [each.word for each in adapted.unjudged] == ["sleeps"]
    assert "not judged" in adapted.unjudged[0].why


def test_a_hint_of_the_backend_is_scaled_with_the_delays() -> None:
    body = (
        'server.stream = [{status = 503, retry_after = 30}, {frames = [{raw = "retry: 5000\\n\\n"}]}]'
        "\n[expect]\nsleeps = [{min = 30000}, {min = 5000}]"
    )
    first, second = SCALED.adapt(one(body)).case.server.scenario.rules
    assert first.head.retry_after == 3
    assert second.head.frames == (ScriptedFrame(raw="retry: 500\n\n"),)


@pytest.mark.parametrize(
    ("opens", "met"),
    [
        ((0, 8, 24), True),
        ((0, 5000, 99_000), True),
        ((0, 4, 24), False),
        ((0, 8), False),
        ((0, 8, 24, 90), False),
    ],
)
def test_a_gap_may_be_late_but_not_early_and_must_be_there(
    opens: tuple[float, ...], *, met: bool
) -> None:
    assert (Gaps((7.5, 15.0)).judge(trace_of_opens(*opens)) is None) is met


def test_the_first_open_of_another_wait_follows_no_delay() -> None:
    trace = trace_of_opens(0, 10)
    trace.append(Called("wait#2"), 0.02)
    trace.append(Requested("stream", 3, "GET", "/", (), "", 3), 0.02)
    assert Gaps((7.5,)).judge(trace) is None


@pytest.mark.parametrize(
    ("delays", "met"),
    [([760.0, 1240.0, 900.0], True), ([1000.0] * 3, False), ([760.0, 1300.0, 900.0], False)],
)
def test_spread_means_within_the_bounds_and_not_all_alike(
    delays: list[float], *, met: bool
) -> None:
    trace = Trace()
    for n, ms in enumerate(delays):
        trace.append(Slept(n, ms, "reconnect"), 0.0)
    spread = SleepsSpread(Delay.nominal(1000, 60_000), 3, 10, 100)
    assert (spread.judge(trace) is None) is met


def test_the_chance_of_a_false_alarm_is_that_of_a_narrow_range() -> None:
    bounds = Delay.nominal(1000, 60_000)
    assert SleepsSpread(bounds, 2, 50, 100).false_alarm == 0.75  # 2r - r² for two samples
    assert SleepsSpread(bounds, 3, 50, 100).false_alarm == 0.5  # 3r² - 2r³ for three


def test_a_statistical_expectation_that_blames_too_often_is_refused() -> None:
    with pytest.raises(ReadingError, match="8 samples are too few"):
        one(f"[expect]\n{SPREAD.format(samples=8)}")


def test_the_chance_of_a_false_alarm_is_shown() -> None:
    done = kit("show", "hardened.a-clean-end-is-spread-by-the-clients-own-dice")
    assert "fails by chance about once in 9.2e+09 runs" in done.out
