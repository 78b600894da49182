"""The arithmetic of reconnecting, apart from any session."""

import math
import sys
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkor_proto import Jitter, ReconnectPolicy
from arkor_proto._backoff import Budget

BASES = st.floats(min_value=0, max_value=1e6, allow_subnormal=True)
CAPS = st.floats(min_value=0, max_value=1e9)


def exact(base: float, attempt: int, cap: float) -> float:
    """Return the published formula, computed without floats."""
    return float(min(Fraction(base) * 2**attempt, Fraction(cap)))


def test_the_defaults_are_one_second_sixty_seconds_and_no_limit() -> None:
    policy = ReconnectPolicy()
    assert (policy.initial_delay, policy.max_delay, policy.max_attempts) == (1.0, 60.0, None)


def test_the_nominal_delay_doubles_up_to_the_cap() -> None:
    policy = ReconnectPolicy()
    assert [policy.nominal_delay(n) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


@given(base=BASES, cap=CAPS, attempt=st.integers(0, 1200))
def test_the_nominal_delay_is_the_published_formula_to_the_last_bit(
    base: float, cap: float, attempt: int
) -> None:
    policy = ReconnectPolicy(base, cap)
    assert policy.nominal_delay(attempt) == exact(base, attempt, cap)


@pytest.mark.parametrize("attempt", [1023, 1024, 1100, 2**31, 2**63, 10**6, 10**9, 10**30])
def test_an_outage_of_any_length_has_a_delay_at_the_cap(attempt: int) -> None:
    assert ReconnectPolicy().nominal_delay(attempt) == 60.0


@pytest.mark.parametrize("attempt", [0, 1, 1024, 10**6, 10**9])
def test_a_base_of_zero_never_waits(attempt: int) -> None:
    assert ReconnectPolicy(0.0).nominal_delay(attempt) == 0.0


def test_the_smallest_float_still_reaches_the_largest_cap() -> None:
    policy = ReconnectPolicy(5e-324, 1.7e308)
    assert policy.nominal_delay(10**9) == 1.7e308


def test_a_base_above_the_cap_is_cut_to_it() -> None:
    assert ReconnectPolicy(90.0, 60.0).nominal_delay(0) == 60.0


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, -math.inf])
def test_a_base_that_is_no_duration_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"initial_delay: .* is not a duration"):
        ReconnectPolicy(initial_delay=bad)


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf, -math.inf])
def test_a_cap_that_is_no_duration_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match=r"max_delay: .* is not a duration"):
        ReconnectPolicy(max_delay=bad)


def test_the_largest_float_is_a_duration() -> None:
    assert ReconnectPolicy(max_delay=sys.float_info.max).max_delay == sys.float_info.max


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="max_attempts: -1 is not a count"):
        ReconnectPolicy(max_attempts=-1)


@pytest.mark.parametrize("jitter", Jitter)
def test_without_a_random_source_every_strategy_is_nominal(jitter: Jitter) -> None:
    assert ReconnectPolicy(jitter=jitter).delay(3, None) == 8.0


@pytest.mark.parametrize(
    ("jitter", "low", "high"),
    [
        (Jitter.NONE, 8.0, 8.0),
        (Jitter.PROPORTIONAL, 6.0, 10.0),
        (Jitter.EQUAL, 4.0, 8.0),
        (Jitter.FULL, 0.0, 8.0),
        (Jitter.DECORRELATED, 1.0, 3.0),
    ],
)
def test_each_strategy_spans_its_published_range(jitter: Jitter, low: float, high: float) -> None:
    policy = ReconnectPolicy(jitter=jitter)
    assert policy.delay(3, lambda: 0.0) == low
    assert policy.delay(3, lambda: 1.0) == high


def test_decorrelated_jitter_grows_from_the_delay_before() -> None:
    policy = ReconnectPolicy(jitter=Jitter.DECORRELATED)
    assert policy.delay(9, lambda: 1.0, previous=5.0) == 15.0


def test_decorrelated_jitter_stays_below_the_cap() -> None:
    policy = ReconnectPolicy(jitter=Jitter.DECORRELATED)
    assert policy.delay(9, lambda: 1.0, previous=50.0) == 60.0


@given(
    jitter=st.sampled_from(Jitter),
    base=BASES,
    cap=CAPS,
    attempt=st.integers(0, 10**9),
    chance=st.floats(0, 1, exclude_max=True),
    previous=st.none() | st.floats(0, 1e12),
)
def test_no_strategy_ever_leaves_zero_to_the_cap(
    *,
    jitter: Jitter,
    base: float,
    cap: float,
    attempt: int,
    chance: float,
    previous: float | None,
) -> None:
    policy = ReconnectPolicy(base, cap, jitter=jitter)
    assert 0 <= policy.delay(attempt, lambda: chance, previous) <= cap


@given(attempt=st.integers(0, 50), chance=st.floats(0, 1, exclude_max=True))
def test_proportional_jitter_keeps_the_permitted_spread(attempt: int, chance: float) -> None:
    policy = ReconnectPolicy(jitter=Jitter.PROPORTIONAL)
    nominal = policy.nominal_delay(attempt)
    delay = policy.delay(attempt, lambda: chance)
    assert 0.75 * nominal <= delay <= min(1.25 * nominal, 60.0)


def test_saturated_clients_do_not_pile_up_on_the_cap() -> None:
    policy = ReconnectPolicy(jitter=Jitter.PROPORTIONAL)
    chances = iter(range(1000))
    delays = [policy.delay(20, lambda: next(chances) / 1000) for _ in range(1000)]
    assert sum(delay == 60.0 for delay in delays) == 0
    assert max(delays) - min(delays) > 14


@pytest.mark.parametrize("limit", [0, 1, 2, 7])
def test_a_budget_of_n_grants_n_delays(limit: int) -> None:
    budget = Budget(ReconnectPolicy(max_attempts=limit))
    granted = [budget.failed() for _ in range(limit)]
    assert (None in granted, budget.failed()) == (False, None)


def test_an_unlimited_budget_is_never_spent() -> None:
    budget = Budget(ReconnectPolicy(), failures=10**9)
    assert budget.failed() == 60.0


def test_progress_sets_the_count_back() -> None:
    budget = Budget(ReconnectPolicy())
    first = [budget.failed(), budget.failed()]
    budget.progressed()
    assert (first, budget.failed()) == ([1.0, 2.0], 1.0)


def test_progress_forgets_the_delay_that_decorrelated_jitter_grows_from() -> None:
    budget = Budget(ReconnectPolicy(jitter=Jitter.DECORRELATED), lambda: 1.0)
    grown = [budget.failed(), budget.failed()]
    budget.progressed()
    assert (grown, budget.failed()) == ([3.0, 9.0], 3.0)


def test_a_clean_end_waits_the_base_delay_and_counts_nothing() -> None:
    budget = Budget(ReconnectPolicy(), lambda: 1.0)
    assert (budget.clean_end(spread=False), budget.failures) == (1.0, 0)


def test_a_clean_end_can_be_spread() -> None:
    assert Budget(ReconnectPolicy(), lambda: 0.0).clean_end(spread=True) == 0.75


def test_a_floor_raises_a_shorter_delay() -> None:
    budget = Budget(ReconnectPolicy())
    budget.ask(once=5.0)
    assert budget.failed() == 5.0


def test_a_floor_leaves_a_longer_delay_alone() -> None:
    budget = Budget(ReconnectPolicy(), failures=5)
    budget.ask(once=5.0)
    assert budget.failed() == 32.0


def test_a_floor_leaves_a_delay_of_the_same_length_alone() -> None:
    budget = Budget(ReconnectPolicy(jitter=Jitter.NONE), lambda: 1.0)
    budget.ask(once=1.0)
    assert budget.failed() == 1.0


def test_a_floor_for_once_holds_for_one_delay() -> None:
    budget = Budget(ReconnectPolicy(initial_delay=0.25))
    budget.ask(once=5.0)
    assert [budget.failed(), budget.failed()] == [5.0, 0.5]


def test_a_floor_of_the_stream_holds_until_it_is_replaced() -> None:
    budget = Budget(ReconnectPolicy(max_attempts=None))
    budget.ask(stream=9.0)
    before = [budget.failed(), budget.failed()]
    budget.ask(stream=0.0)
    assert (before, budget.failed()) == ([9.0, 9.0], 4.0)


def test_the_higher_of_two_floors_governs() -> None:
    budget = Budget(ReconnectPolicy())
    budget.ask(stream=3.0, once=7.0)
    assert [budget.failed(), budget.failed()] == [7.0, 3.0]


@pytest.mark.parametrize("wish", [61.0, 10.0**9, math.inf])
def test_a_floor_above_the_cap_is_cut_to_the_cap(wish: float) -> None:
    budget = Budget(ReconnectPolicy(), lambda: 0.99)
    budget.ask(once=wish)
    assert budget.failed() == 60.0


@given(chance=st.floats(0, 1, exclude_max=True))
def test_a_floor_is_spread_upward_only(chance: float) -> None:
    budget = Budget(ReconnectPolicy(), lambda: chance)
    budget.ask(once=20.0)
    delay = budget.failed()
    assert delay is not None
    assert 20.0 <= delay <= 25.0


def test_the_highest_sample_spreads_a_floor_by_a_quarter() -> None:
    budget = Budget(ReconnectPolicy(), lambda: 1.0)
    budget.ask(once=20.0)
    assert budget.failed() == 25.0
