"""Read the tables `expect`, `premise` and `applies` of a case into expectations."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.expect.callbacks import (
    ANY_KIND,
    Callbacks,
    Calls,
    Equal,
    Expected,
    Result,
)
from conformance.expect.delays import (
    Delay,
    Sleeps,
    SleepsDiffer,
    SleepsSpread,
)
from conformance.expect.mismatch import Assertion
from conformance.expect.order import (
    Before,
    ClosedByClient,
    Never,
    QuietAfter,
    Reached,
)
from conformance.expect.premise import (
    Carries,
    FirstCallbacks,
    FirstCursors,
    FirstSleeps,
    Premise,
)
from conformance.expect.request_shape import (
    ALL,
    EqualHeader,
    NotElsewhere,
    RequestShape,
    Shape,
)
from conformance.expect.requests import LastEventIds, Requests
from conformance.strict_data import (
    Json,
    ReadingError,
    Table,
    kind_of,
    word,
)
from conformance.trace.events import CALLBACKS, ROUTES
from conformance.trace.names import check_exchange, check_reference
from conformance.words import ERROR_KINDS

_DEFAULT_CAP_MS: Final = 60_000.0
MOST_FALSE_ALARMS: Final = 1e-9
"""The highest probability with which a statistical expectation may fail a sound client."""


def read_expectations(
    table: Table, operations: Sequence[str], config: Mapping[str, Json]
) -> tuple[Assertion, ...]:
    """Read `expect`; raises ReadingError for the first mistake."""
    found = (
        *_counts(table),
        *_sleeps(table, config),
        *_calls(table, operations),
        *_shapes(table),
        *_order(table, operations),
    )
    table.finish()
    return found


def read_premise(
    table: Table, operations: Sequence[str], config: Mapping[str, Json]
) -> tuple[Premise, ...]:
    """Read `premise`; raises ReadingError for the first mistake."""
    where = f"{table.where}: reached"
    found: list[Premise] = [
        Reached(check_reference(where, name, operations)) for name in table.texts("reached")
    ]
    if chain := table.items("last_event_ids"):
        found.append(FirstCursors(tuple(_cursor(table.where, item) for item in chain)))
    if names := table.texts("callbacks"):
        known = tuple(word(f"{table.where}: callbacks", name, CALLBACKS) for name in names)
        found.append(FirstCallbacks(known))
    if delays := table.items("sleeps"):
        found.append(FirstSleeps(_delays(f"{table.where}: sleeps", delays, _cap(config))))
    carries = table.table("carries")
    for name in carries.values:
        callback = word(carries.where, name, CALLBACKS)
        found.append(Carries(callback, carries.text(name)))
    carries.finish()
    found += _results(table, operations)
    table.finish()
    return tuple(found)


def read_applies(table: Table) -> tuple[RequestShape, ...]:
    """Read `applies`: shapes of requests; raises ReadingError."""
    found = tuple(_request_shapes(table.table("request")))
    table.finish()
    return found


def _counts(table: Table) -> Iterator[Assertion]:
    requests = table.table("requests")
    for route in requests.values:
        word(requests.where, route, ROUTES)
        yield Requests(route, requests.count(route), f"requests.{route}")
    if table.has("connects"):
        yield Requests("stream", table.count("connects"), "connects")
    if chain := table.items("last_event_ids"):
        yield LastEventIds(tuple(_cursor(table.where, item) for item in chain))


def _cursor(where: str, item: Json) -> str | None:
    if item is False:
        return None
    if isinstance(item, str):
        return item
    raise ReadingError(
        f"{where}: last_event_ids",
        f"{kind_of(item)} in the list; write a string, or false for no header",
    )


def _sleeps(table: Table, config: Mapping[str, Json]) -> Iterator[Assertion]:
    limit = _cap(config)
    if table.has("sleeps"):
        yield Sleeps(_delays(f"{table.where}: sleeps", table.items("sleeps"), limit))
    if table.has("sleeps_differ"):
        yield SleepsDiffer(table.flag("sleeps_differ"))
    if table.has("sleeps_spread"):
        yield _spread(table.table("sleeps_spread"), limit)


def _cap(config: Mapping[str, Json]) -> float:
    cap = config.get("max_ms", _DEFAULT_CAP_MS)
    return float(cap) if isinstance(cap, int | float) else _DEFAULT_CAP_MS


def _delays(where: str, items: Sequence[Json], cap: float) -> tuple[Delay, ...]:
    return tuple(_delay(f"{where}[{n}]", item, cap) for n, item in enumerate(items, 1))


def _spread(table: Table, cap: float) -> SleepsSpread:
    """Read `{of, samples, at_least, over}`; raises ReadingError if a sound client fails too often."""
    found = SleepsSpread(
        Delay.nominal(table.number("of"), cap),
        table.count("samples"),
        table.number("at_least"),
        table.number("over"),
    )
    table.finish()
    if not 0 < found.at_least < found.over <= found.delay.high - found.delay.low:
        raise ReadingError(
            table.where, "must satisfy 0 < at_least < over <= the width of the bounds"
        )
    if found.samples < 2 or found.false_alarm > MOST_FALSE_ALARMS:  # noqa: PLR2004 - a range
        raise ReadingError(
            table.where,
            f"{found.samples} samples are too few: a sound client would fail by chance with a "
            f"probability above {MOST_FALSE_ALARMS:g}; take more samples or a smaller 'at_least'",
        )
    return found


def _delay(where: str, item: Json, cap: float) -> Delay:
    match item:
        case bool():
            raise ReadingError(where, "a boolean; write a number of milliseconds")
        case int() | float():
            return Delay.nominal(item, cap)
        case Mapping():
            bounds = Table(where, item)
            exact = bounds.optional("exact", bounds.number)
            low, high = bounds.optional("min", bounds.number), bounds.optional("max", bounds.number)
            bounds.finish()
            if exact is not None:
                return Delay(exact, exact)
            return Delay(low or 0.0, math.inf if high is None else high)
        case _:
            raise ReadingError(
                where, "not a delay; write a number, {exact = …} or {min = …, max = …}"
            )


def _calls(table: Table, operations: Sequence[str]) -> Iterator[Assertion]:
    if table.has("callbacks"):
        items = enumerate(table.items("callbacks"), 1)
        yield Callbacks(tuple(_callback(f"{table.where}: callbacks[{n}]", i) for n, i in items))
    calls = table.table("calls")
    for name in calls.values:
        expected = tuple(each.values for each in calls.tables(name))
        if not expected:
            raise ReadingError(
                f"{calls.where}: {name}", "lists no calls; to expect none, use 'never'"
            )
        yield Calls(word(calls.where, name, CALLBACKS), expected)
    calls.finish()
    yield from _results(table, operations)
    for pair in table.items("equal"):
        names = Table(f"{table.where}: equal", {"names": pair}).texts("names")
        yield Equal(
            tuple(
                word(f"{table.where}: equal", name.removeprefix("result."), operations)
                for name in names
            )
        )


def _results(table: Table, operations: Sequence[str]) -> Iterator[Result]:
    results = table.table("result")
    for operation in results.values:
        word(results.where, operation, operations)
        yield _result(operation, results.table(operation))


def _callback(where: str, item: Json) -> Expected:
    if isinstance(item, str):
        return Expected(word(where, item, CALLBACKS), {})
    table = Table.of(where, item)
    expected = Expected(table.one_of("name", CALLBACKS), table.table("data").values)
    table.finish()
    return expected


def _result(operation: str, table: Table) -> Result:
    """Read `{ok = true}`, `{ok = {…}}`, `{status = …}` of the job, or `{error = …, code = …}`."""
    if table.has("error"):
        kind = table.one_of("error", (*ERROR_KINDS, ANY_KIND))
        code = table.optional("code", table.count)
        table.finish()
        return Result(operation, ok=None, error=kind, code=code)
    ok: dict[str, Json] = {}
    if table.has("ok") and table.raw("ok") is not True:
        ok = dict(table.table("ok").values)
    if table.has("status"):
        ok["job"] = {"status": table.text("status")}
    elif not table.has("ok"):
        raise ReadingError(table.where, "needs one of 'ok', 'status', 'error'")
    absent = table.texts("job_absent")
    table.finish()
    return Result(operation, ok=ok, job_absent=absent)


def _shapes(table: Table) -> Iterator[Assertion]:
    yield from _request_shapes(table.table("request"))
    equals = (table.table("equal_header"),) if table.has("equal_header") else ()
    for equal in equals:
        names = tuple(check_exchange(equal.where, name) for name in equal.texts("of"))
        yield EqualHeader(equal.text("header").lower(), names)
        equal.finish()
    for header in table.texts("not_elsewhere"):
        yield NotElsewhere(header.lower())


def _request_shapes(table: Table) -> Iterator[RequestShape]:
    for name in table.values:
        if name != ALL:
            check_exchange(table.where, name.replace(f"#{ALL}", "#1"))
        yield RequestShape(name, _shape(table.table(name)))


def _shape(table: Table) -> Shape:
    headers = table.table("headers").values
    shape = Shape(
        method=table.optional("method", table.text),
        path=table.optional("path", table.text),
        query=table.table("query").values,
        headers={name.lower(): value for name, value in headers.items()},
        absent=tuple(name.lower() for name in table.texts("absent")),
        json=table.optional("json", table.raw),
        json_absent=table.texts("json_absent"),
        body=table.optional("body", table.text),
    )
    table.finish()
    if shape == Shape():
        raise ReadingError(table.where, "expects nothing of the request; name a part of it")
    return shape


def _order(table: Table, operations: Sequence[str]) -> Iterator[Assertion]:
    for reference in table.texts("reached"):
        yield Reached(check_reference(f"{table.where}: reached", reference, operations))
    for reference in table.texts("never"):
        yield Never(check_reference(f"{table.where}: never", reference, operations))
    for reference in table.texts("quiet_after"):
        yield QuietAfter(check_reference(f"{table.where}: quiet_after", reference, operations))
    for n, pair in enumerate(table.items("before"), 1):
        where = f"{table.where}: before[{n}]"
        names = Table(where, {"pair": pair}).texts("pair")
        if len(names) != 2:  # noqa: PLR2004 - a pair
            raise ReadingError(where, "not a pair; name two events, the earlier one first")
        earlier, later = (check_reference(where, name, operations) for name in names)
        yield Before(earlier, later)
    for name in table.texts("closed"):
        yield ClosedByClient(check_exchange(f"{table.where}: closed", name))
