"""Turn the sections `expect`, `premise` and `applies` of a case into assertions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.expect.callbacks import Callbacks, Calls, Equal, Result
from conformance.expect.delays import Delay, Sleeps, SleepsDiffer, SleepsSpread
from conformance.expect.mismatch import Assertion
from conformance.expect.order import Before, ClosedByClient, Never, QuietAfter, Reached
from conformance.expect.premise import Carries, FirstCallbacks, FirstCursors, FirstSleeps, Premise
from conformance.expect.request_shape import NotElsewhere, RequestShape
from conformance.expect.requests import LastEventIds, Requests
from conformance.expect.words import (
    AppliesWords,
    Bounds,
    ExpectWords,
    PremiseWords,
    ResultWords,
    Spread,
)
from conformance.strict_data import Json
from conformance.trace.names import check_operation
from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import ScenarioError, nearest

_DEFAULT_CAP_MS: Final = 60_000.0
MOST_FALSE_ALARMS: Final = 1e-9
"""The highest acceptable probability that a statistical expectation fails a correct client."""


def expectations(
    words: ExpectWords, where: str, operations: Sequence[str], config: Mapping[str, Json]
) -> tuple[Assertion, ...]:
    """Return the expectations of a case; raise a ScenarioError that lists any mistakes in them."""
    mistakes = Mistakes()
    _check_operations(words.result, f"{where}.result", operations, mistakes)
    for word_, names in (
        ("reached", words.reached),
        ("never", words.never),
        ("quiet_after", words.quiet_after),
    ):
        _check_events(names, f"{where}.{word_}", operations, mistakes)
    for n, pair in enumerate(words.before, 1):
        _check_events(pair, f"{where}.before {n}", operations, mistakes)
    for n, alike in enumerate(words.equal, 1):
        named = {name.removeprefix("result."): n for name in alike}
        _check_operations(named, f"{where}.equal {n}", operations, mistakes)
    with mistakes.collected():
        if words.sleeps_spread is not None:
            _check_spread(words.sleeps_spread, f"{where}.sleeps_spread", _cap(config))
    mistakes.settle()
    return (
        *_counts(words),
        *_sleeps(words, _cap(config)),
        *_calls(words),
        *_shapes(words),
        *_order(words),
    )


def premises(
    words: PremiseWords, where: str, operations: Sequence[str], config: Mapping[str, Json]
) -> tuple[Premise, ...]:
    """Return the premises of a case; raise a ScenarioError that lists any mistakes in them."""
    mistakes = Mistakes()
    _check_events(words.reached, f"{where}.reached", operations, mistakes)
    _check_operations(words.result, f"{where}.result", operations, mistakes)
    mistakes.settle()
    found: list[Premise] = [Reached(name) for name in words.reached]
    if words.last_event_ids:
        found.append(FirstCursors(words.last_event_ids))
    if words.callbacks:
        found.append(FirstCallbacks(words.callbacks))
    if words.sleeps:
        found.append(FirstSleeps(_delays(words.sleeps, _cap(config))))
    found += [Carries(callback, member) for callback, member in words.carries.items()]
    found += _results(words.result)
    return tuple(found)


def applies(words: AppliesWords) -> tuple[RequestShape, ...]:
    """Return the shapes that requests must have for a case to apply."""
    return tuple(RequestShape(name, shape) for name, shape in words.request.items())


def _check_events(
    names: Sequence[str], where: str, operations: Sequence[str], mistakes: Mistakes
) -> None:
    for n, name in enumerate(names, 1):
        with mistakes.collected():
            check_operation(f"{where} {n}", name, operations)


def _check_operations(
    named: Mapping[str, object], where: str, operations: Sequence[str], mistakes: Mistakes
) -> None:
    for name in named:
        with mistakes.collected():
            if name not in operations:
                message = f"{where}: {name!r} is unknown; {nearest(name, operations)}"
                raise ScenarioError(message, at=f"{where}.{name}")


def _cap(config: Mapping[str, Json]) -> float:
    cap = config.get("max_ms", _DEFAULT_CAP_MS)
    return float(cap) if isinstance(cap, int | float) else _DEFAULT_CAP_MS


def _delays(items: Sequence[float | Bounds], cap: float) -> tuple[Delay, ...]:
    return tuple(_delay(item, cap) for item in items)


def _delay(item: float | Bounds, cap: float) -> Delay:
    if not isinstance(item, Bounds):
        return Delay.nominal(item, cap)
    if item.exact is not None:
        return Delay(item.exact, item.exact)
    return Delay(item.least, item.most, asked=item.least > 0)


def _spread(words: Spread, cap: float) -> SleepsSpread:
    return SleepsSpread(Delay.nominal(words.of, cap), words.samples, words.at_least, words.over)


def _check_spread(words: Spread, where: str, cap: float) -> None:
    """Raise ScenarioError if a limit is invalid, or a correct client fails too often by chance."""
    found = _spread(words, cap)
    if not 0 < found.at_least < found.over <= found.delay.high - found.delay.low:
        raise ScenarioError(
            f"{where}: must satisfy 0 < at_least < over <= the width of the range of valid delays"
        )
    if found.false_alarm > MOST_FALSE_ALARMS:
        raise ScenarioError(
            f"{where}: {found.samples} samples are too few: the probability that a correct client "
            f"fails by chance exceeds {MOST_FALSE_ALARMS:g}; use more samples or "
            "a smaller 'at_least'"
        )


def _counts(words: ExpectWords) -> Iterator[Assertion]:
    for route, count in words.requests.items():
        yield Requests(route, count, f"requests.{route}")
    if words.connects is not None:
        yield Requests("stream", words.connects, "connects")
    if words.last_event_ids:
        yield LastEventIds(words.last_event_ids)


def _sleeps(words: ExpectWords, cap: float) -> Iterator[Assertion]:
    if words.sleeps is not None:
        yield Sleeps(_delays(words.sleeps, cap))
    if words.sleeps_differ is not None:
        yield SleepsDiffer(words.sleeps_differ)
    if words.sleeps_spread is not None:
        yield _spread(words.sleeps_spread, cap)


def _calls(words: ExpectWords) -> Iterator[Assertion]:
    if words.callbacks is not None:
        yield Callbacks(words.callbacks)
    for name, expected in words.calls.items():
        yield Calls(name, expected)
    yield from _results(words.result)
    for alike in words.equal:
        yield Equal(tuple(name.removeprefix("result.") for name in alike))


def _results(results: Mapping[str, ResultWords]) -> Iterator[Result]:
    for operation, words in results.items():
        if words.error is not None:
            yield Result(operation, ok=None, error=words.error, code=words.code)
            continue
        ok: dict[str, Json] = dict(words.ok) if isinstance(words.ok, Mapping) else {}
        if words.status is not None:
            ok["job"] = {"status": words.status}
        yield Result(operation, ok=ok, job_absent=words.job_absent)


def _shapes(words: ExpectWords) -> Iterator[Assertion]:
    for name, shape in words.request.items():
        yield RequestShape(name, shape)
    if words.equal_header is not None:
        yield words.equal_header
    for header in words.not_elsewhere:
        yield NotElsewhere(header)


def _order(words: ExpectWords) -> Iterator[Assertion]:
    yield from map(Reached, words.reached)
    yield from map(Never, words.never)
    yield from map(QuietAfter, words.quiet_after)
    for earlier, later in words.before:
        yield Before(earlier, later)
    yield from map(ClosedByClient, words.closed)
