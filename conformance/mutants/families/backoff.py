"""Mutants that compute back-off delays wrongly."""

# ruff: noqa: D401

import math
from collections.abc import Callable, Iterable, Mapping

from attrs import evolve

from arkor_proto import Idle, Jitter, Notify, Output, Random, Reconnecting, ReconnectPolicy, Timer
from conformance.drivers.python import lines
from conformance.drivers.python.clocks import VirtualClock
from conformance.mutants.around import Client
from conformance.mutants.filters import change_delays, filter_outputs
from conformance.mutants.patching import ByObject, breaks, change_profiles, replace

_FOR_ALL = ("2026-05", "2026-07")
_WHERE_DELAYS_GROW = (
    *("ARK-BAK-3", "ARK-BAK-10", "ARK-BAK-11"),
    *("ARK-BUD-3", "ARK-BUD-9", "ARK-BUD-10", "ARK-BUD-14"),
)
"""Rules whose cases measure how delays grow; a wrong back-off formula breaks them as well."""


def _formula(formula: Callable[[ReconnectPolicy, int], float]) -> None:
    replace(ReconnectPolicy, "nominal_delay", formula)


@breaks("ARK-BAK-1", follows=(*_WHERE_DELAYS_GROW, "ARK-BAK-5", "ARK-BAK-6"))
def does_not_wait() -> None:
    """The client reopens the stream immediately after a failure, without back-off."""
    _formula(lambda _, __: 0.0)


@breaks("ARK-BAK-1", follows=_WHERE_DELAYS_GROW)
def waits_linearly() -> None:
    """The delay grows by the base delay each time instead of doubling."""
    _formula(lambda policy, n: min(policy.initial_delay * (n + 1), policy.max_delay))


@breaks("ARK-BAK-1", follows=_WHERE_DELAYS_GROW)
def waits_constantly() -> None:
    """The delay stays at the base delay instead of doubling."""
    _formula(lambda policy, _: min(policy.initial_delay, policy.max_delay))


@breaks("ARK-BAK-1", follows=(*_WHERE_DELAYS_GROW, "ARK-BAK-5"))
def is_one_power_ahead() -> None:
    """The first delay is already twice the base delay."""
    _formula(lambda policy, n: min(policy.initial_delay * 2.0 ** min(n + 1, 900), policy.max_delay))


@breaks("ARK-BAK-1", follows=_WHERE_DELAYS_GROW)
def is_one_power_behind() -> None:
    """The first two delays are the same; doubling starts one failure too late."""
    _formula(lambda p, n: min(p.initial_delay * 2.0 ** min(max(n - 1, 0), 900), p.max_delay))


@breaks("ARK-BAK-1", follows=_WHERE_DELAYS_GROW)
def grows_by_one_and_a_half() -> None:
    """The delay grows by a factor of 1.5 each time instead of doubling."""
    _formula(lambda policy, n: min(policy.initial_delay * 1.5 ** min(n, 900), policy.max_delay))


@breaks("ARK-BAK-2", "ARK-BAK-1")
def knows_no_cap() -> None:
    """The delay has no cap and keeps doubling."""
    _formula(lambda policy, n: policy.initial_delay * 2.0 ** min(n, 900))


@breaks("ARK-BAK-8")
def overflows_an_integer() -> None:
    """The client computes powers of two as 64-bit integers, which overflow after 63 failures."""

    def nominal_delay(policy: ReconnectPolicy, n: int) -> float:
        power = int.from_bytes((1 << n).to_bytes(8, "big", signed=True), "big", signed=True)
        return min(policy.initial_delay * power, policy.max_delay)

    _formula(nominal_delay)


@breaks("ARK-BAK-8")
def overflows() -> None:
    """The client computes powers of two as floats, which overflow after 1,024 failures."""
    _formula(lambda policy, n: min(policy.initial_delay * 2.0**n, policy.max_delay))


@breaks("ARK-BAK-6", follows=("ARK-BAK-5",))
def spreads_by_half() -> None:
    """The client shortens every delay to about half, far beyond the permitted quarter."""
    original = ReconnectPolicy.delay

    def delay(
        policy: ReconnectPolicy, n: int, random: Random | None, previous: float | None = None
    ) -> float:
        return original(policy, n, None, previous) * (0.5 if random is None else 0.6)

    replace(ReconnectPolicy, "delay", delay)


@breaks("ARK-BAK-2")
def spreads_above_the_cap() -> None:
    """The client applies the cap before it spreads the delay, so a delay can exceed the cap."""

    def delay(
        policy: ReconnectPolicy, n: int, random: Random | None, previous: float | None = None
    ) -> float:
        nominal = policy.nominal_delay(n)
        return nominal * (1.25 if random is not None or previous else 1.2)

    replace(ReconnectPolicy, "delay", delay)


@breaks("ARK-BAK-3", follows=("ARK-BAK-5",))
def has_another_base() -> None:
    """The base delay defaults to 3 s instead of 1 s."""
    defaults = (3.0, 60.0, None, Jitter.PROPORTIONAL)
    replace(ReconnectPolicy.__init__, "__defaults__", defaults)


@breaks("ARK-BAK-3")
def has_another_cap() -> None:
    """The cap on the delay defaults to 30 s instead of 60 s."""
    defaults = (1.0, 30.0, None, Jitter.PROPORTIONAL)
    replace(ReconnectPolicy.__init__, "__defaults__", defaults)


@breaks("ARK-BAK-4", "ARK-BAK-5")
def reopens_at_once_after_a_clean_end() -> None:
    """The client reopens the stream without a delay after a clean end."""

    def change(client: Client, notice: Reconnecting) -> float:
        at_once = 0.001 if client.setup.profile.spreads_clean_end else 0.0
        return notice.delay if notice.cause else at_once

    change_delays(change)


@breaks("ARK-BAK-4")
def spreads_the_clean_end() -> None:
    """After a clean end, the client spreads the delay in profiles that require it to be exact."""
    change_profiles(lambda profile: evolve(profile, spreads_clean_end=True), *_FOR_ALL)


@breaks("ARK-BAK-5")
def does_not_spread_the_clean_end() -> None:
    """The client does not spread the delay after a clean end, so all clients reconnect together."""
    change_profiles(lambda profile: evolve(profile, spreads_clean_end=False), "hardened")


@breaks("ARK-BAK-16")
def waits_a_base_above_the_cap() -> None:
    """The delay after a clean end is the base delay, even if the cap is lower."""

    def change(client: Client, notice: Reconnecting) -> float:
        policy = client.setup.policy
        above = not notice.cause and 0 < policy.max_delay < policy.initial_delay
        return notice.delay * (policy.initial_delay / policy.max_delay if above else 1.0)

    change_delays(change)


@breaks("ARK-BAK-8")
def waits_for_not_a_number() -> None:
    """With a base delay of 0, the delay after 1,024 failures is NaN: zero times infinity."""
    sleep_originally, emit_originally = VirtualClock.sleep_until, lines.emit
    failures, unsaid = ByObject[int](), list[float]()

    def change(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Notify) and isinstance(output.notice, Reconnecting):
            failures[client] = output.notice.failures
        late = failures.get(client, 0) > 1024 and client.setup.policy.initial_delay == 0.0  # noqa: PLR2004
        backs_off = isinstance(output, Idle) and output.timer is Timer.RECONNECT
        yield Idle(math.nan, Timer.RECONNECT) if late and backs_off else output

    async def sleep_until(clock: VirtualClock, deadline: float, purpose: str) -> None:
        if math.isnan(deadline):
            unsaid.append(deadline)
        await sleep_originally(clock, deadline, purpose)

    def emit(message: Mapping[str, object]) -> None:
        unknown = message.get("event") == "sleep" and unsaid and math.isnan(unsaid.pop())
        emit_originally({**message, "ms": None} if unknown else message)

    filter_outputs(change)
    replace(VirtualClock, "sleep_until", sleep_until)
    replace(lines, "emit", emit)
