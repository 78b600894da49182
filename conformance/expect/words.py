# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""The keys of `expect`, `premise` and `applies` in a case."""

import math
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from conformance.expect.callbacks import ANY_KIND, Expected
from conformance.expect.request_shape import REQUESTS, EqualHeader, RequestWords
from conformance.strict_data import Json
from conformance.trace.events import CALLBACKS, ROUTES
from conformance.trace.names import EVENT, EXCHANGE
from conformance.words import ERROR_KINDS
from mock_server.strict.alternatives import constant, converted
from mock_server.strict.shapes import (
    ScenarioError,
    Shape,
    anything,
    array,
    either,
    flag,
    integer,
    mapping,
    number,
    one_of,
    text,
)
from mock_server.strict.words import EMPTY, needed, table, word

_MOST: Final = 2**53
_COUNT: Final = integer(0, _MOST)
_MILLISECONDS: Final = number(0, _MOST)
_TABLE: Final = mapping(anything())
_EVENTS: Final = array(EVENT)
_CALLBACK: Final = one_of(CALLBACKS)


@frozen(kw_only=True)
class Bounds:
    """The bounds of a delay, in milliseconds."""

    exact: float | None = word(_MILLISECONDS, "the exact delay", default=None)
    least: float = word(_MILLISECONDS, "the shortest delay", default=0.0, name="min")
    most: float = word(_MILLISECONDS, "the longest delay", default=math.inf, name="max")


_DELAYS: Final = array(
    either(_MILLISECONDS, table(Bounds, "{exact = ms} or {min = ms, max = ms}")), 100_000
)


@frozen(kw_only=True)
class Spread:
    """How far apart the delays from the client's own random source must be, in milliseconds."""

    of: float = needed(_MILLISECONDS, "the nominal delay")
    samples: int = needed(integer(2, 10_000), "the number of delays")
    at_least: float = needed(
        _MILLISECONDS,
        "the smallest permitted difference between the longest and the shortest delay",
    )
    over: float = needed(
        _MILLISECONDS, "the width of the narrowest range over which a correct client spreads delays"
    )


_CURSORS: Final[Shape[tuple[str | None, ...]]] = array(
    converted(
        either(text(), constant(right=False)),
        lambda found, _: found if isinstance(found, str) else None,
    )
)
"""The `Last-Event-ID` of each stream request; in a case, false means that the header is absent."""


@frozen(kw_only=True)
class CallbackWords:
    """A callback, and the members that its argument must have."""

    name: str = needed(_CALLBACK, "the callback")
    data: Mapping[str, Json] = word(
        _TABLE, "members that the callback's argument must have", default=EMPTY
    )


_CALLBACKS: Final[Shape[tuple[Expected, ...]]] = array(
    converted(
        either(_CALLBACK, table(CallbackWords, "{name = 'log', data = {…}}")),
        lambda found, _: (
            Expected(found, {}) if isinstance(found, str) else Expected(found.name, found.data)
        ),
    )
)


@frozen(kw_only=True)
class ResultWords:
    """How an operation must settle: with a result or with an error."""

    ok: bool | Mapping[str, Json] | None = word(
        either(constant(right=True), _TABLE),
        "the operation succeeds, and its result has these members",
        default=None,
    )
    status: str | None = word(
        text(), "the operation succeeds, and its job has this status", default=None
    )
    error: str | None = word(
        one_of((*ERROR_KINDS, ANY_KIND)),
        "the operation fails with an error of this kind",
        default=None,
    )
    code: int | None = word(integer(0, 999), "the HTTP status code of the error", default=None)
    job_absent: tuple[str, ...] = word(
        array(text()),
        "members that must be absent or null in the resulting job",
        default=(),
    )


def _check_result(found: ResultWords, where: str) -> None:
    succeeds = found.ok is not None or found.status is not None
    if succeeds is (found.error is not None):
        raise ScenarioError(f"{where}: needs either 'error' or at least one of 'ok' and 'status'")
    if succeeds and found.code is not None:
        raise ScenarioError(
            f"{where}: 'code' applies only to an error; give 'error' instead of 'ok' and 'status'"
        )
    if not succeeds and found.job_absent:
        raise ScenarioError(
            f"{where}: 'job_absent' applies only to a success; give 'ok' or 'status' instead of "
            "'error'"
        )


_RESULTS: Final = mapping(
    table(ResultWords, "a result, such as {status = 'completed'}", _check_result)
)


@frozen(kw_only=True)
class PremiseWords:
    """What the client must have done before the rules of a case can be judged."""

    reached: tuple[str, ...] = word(_EVENTS, "events that must have happened", default=())
    last_event_ids: tuple[str | None, ...] = word(
        _CURSORS,
        "the cursors of the first stream requests; false for a request without a cursor",
        default=(),
    )
    callbacks: tuple[str, ...] = word(array(_CALLBACK), "the first callbacks", default=())
    sleeps: tuple[float | Bounds, ...] = word(
        _DELAYS, "the first back-off delays, in milliseconds", default=()
    )
    carries: Mapping[str, str] = word(
        mapping(text(), keys=_CALLBACK),
        "for each callback, the member of its argument that must be a string in the first call",
        default=EMPTY,
    )
    result: Mapping[str, ResultWords] = word(_RESULTS, "how operations settle", default=EMPTY)


@frozen(kw_only=True)
class AppliesWords:
    """The shapes that a client's requests must have for the case to apply to that client."""

    request: Mapping[str, RequestWords] = word(
        REQUESTS, "for each request, the shape that it must have", default=EMPTY
    )


def _pair(names: tuple[str, ...], where: str) -> tuple[str, ...]:
    if len(names) != 2:  # noqa: PLR2004 - a pair
        raise ScenarioError(f"{where}: name two events")
    return names


@frozen(kw_only=True)
class ExpectWords:
    """The expectations of a case."""

    requests: Mapping[str, int] = word(
        mapping(_COUNT, keys=one_of(ROUTES)), "the number of requests, by route", default=EMPTY
    )
    connects: int | None = word(_COUNT, "the number of stream requests", default=None)
    last_event_ids: tuple[str | None, ...] = word(
        _CURSORS,
        "the cursor of each stream request; false for a request without a cursor",
        default=(),
    )
    sleeps: tuple[float | Bounds, ...] | None = word(
        _DELAYS, "the back-off delays, in milliseconds", default=None
    )
    sleeps_differ: bool | None = word(
        flag(), "true if the delays must not all be equal, false if they must", default=None
    )
    sleeps_spread: Spread | None = word(
        table(Spread, "{of = ms, samples = n, at_least = ms, over = ms}"),
        "how far apart delays chosen at random must be",
        default=None,
    )
    callbacks: tuple[Expected, ...] | None = word(
        _CALLBACKS, "all calls to callbacks, in order", default=None
    )
    calls: Mapping[str, tuple[Mapping[str, Json], ...]] = word(
        mapping(array(_TABLE, least=1), keys=_CALLBACK),
        "for each callback, the arguments of its calls, in order; to forbid all calls, use 'never'",
        default=EMPTY,
    )
    result: Mapping[str, ResultWords] = word(_RESULTS, "how operations settle", default=EMPTY)
    equal: tuple[tuple[str, ...], ...] = word(
        array(array(text(), least=2)),
        "groups of operations; all operations in a group must have the same result",
        default=(),
    )
    request: Mapping[str, RequestWords] = word(
        REQUESTS, "for each request, the shape that it must have", default=EMPTY
    )
    equal_header: EqualHeader | None = word(
        table(EqualHeader, "{header = name, of = requests}"),
        "a header that must have the same value in several requests",
        default=None,
    )
    not_elsewhere: tuple[str, ...] = word(
        array(converted(text(), lambda name, _: name.lower())),
        "headers that must be sent only to the origin of the first request",
        default=(),
    )
    reached: tuple[str, ...] = word(_EVENTS, "events that must happen", default=())
    never: tuple[str, ...] = word(_EVENTS, "events that must not happen", default=())
    quiet_after: tuple[str, ...] = word(
        _EVENTS, "events after which no callback may run", default=()
    )
    before: tuple[tuple[str, ...], ...] = word(
        array(converted(_EVENTS, _pair)),
        "pairs of events; the first event of a pair must happen before the second",
        default=(),
    )
    closed: tuple[str, ...] = word(
        array(EXCHANGE), "exchanges whose connections the client must close", default=()
    )
    cites: Mapping[str, tuple[str, ...]] = word(
        mapping(array(text())),
        "for each expectation, the rules that it tests; by default, all rules of the case",
        default=EMPTY,
    )
