"""Judge the contrary of an expectation: what a trace that meets it must not meet as well.

Most expectations have an opposite. For the others the trace is spoiled, and must not meet them.
"""

import math
from collections.abc import Callable, Mapping

from attrs import evolve

from conformance.expect.callbacks import Callbacks, Calls, Equal, Expected, Result
from conformance.expect.delays import Delay, Sleeps, SleepsDiffer, SleepsSpread
from conformance.expect.mismatch import Assertion, Divergence
from conformance.expect.order import Before, ClosedByClient, Never, QuietAfter, Reached
from conformance.expect.request_shape import EqualHeader, NotElsewhere, RequestShape, RequestWords
from conformance.expect.requests import LastEventIds, Requests
from conformance.strict_data import Json
from conformance.trace.events import CALLBACKS, CallbackRan, Fact, Requested, Settled, Slept, Trace


def judge_contrary(assertion: Assertion, trace: Trace) -> Divergence | None:
    """Return the difference to the contrary of an expectation that the trace meets."""
    spoilt = _spoilt(assertion, trace)
    if spoilt is None:
        return _opposite(assertion).judge(trace)
    return assertion.judge(spoilt)


def _spoilt(  # noqa: PLR0911 - an arm each
    assertion: Assertion, trace: Trace
) -> Trace | None:
    """Return the trace with what does not meet the expectation, None if it has an opposite."""
    match assertion:
        case Equal(operations=operations):
            return _changed(trace, f"{operations[-1]}.settled", _with_other_result)
        case EqualHeader(requests=requests):
            return _changed(trace, f"{requests[-1]}.requested", _without_headers)
        case NotElsewhere(header=header):
            headers = (("host", "elsewhere"), (header, "x"))
            return _longer(trace, Requested("other", 1, "GET", "/", headers, "", 0))
        case QuietAfter():
            return _longer(trace, CallbackRan(CALLBACKS[0], {}))
        case ClosedByClient(exchange=exchange):
            gone = {f"{exchange}.closed", f"{exchange}.ended"}
            return _trace([event.fact for event in trace.events if not gone & {*event.names}])
        case SleepsSpread(delay=delay):
            flat = [_with_delay(event.fact, delay.low) for event in trace.events]
            return _trace(flat)
        case _:
            return None


def _trace(facts: list[Fact]) -> Trace:
    made = Trace()
    for fact in facts:
        made.append(fact, 0.0)
    return made


def _longer(trace: Trace, fact: Fact) -> Trace:
    return _trace([*(event.fact for event in trace.events), fact])


def _changed(trace: Trace, name: str, change: Callable[[Fact], Fact]) -> Trace:
    return _trace([change(e.fact) if name in e.names else e.fact for e in trace.events])


def _with_other_result(fact: Fact) -> Fact:
    return evolve(fact, ok={"other": True}) if isinstance(fact, Settled) else fact


def _without_headers(fact: Fact) -> Fact:
    return evolve(fact, headers=()) if isinstance(fact, Requested) else fact


def _with_delay(fact: Fact, ms: float) -> Fact:
    return evolve(fact, ms=ms) if isinstance(fact, Slept) else fact


def _opposite(assertion: Assertion) -> Assertion:  # noqa: C901, PLR0911, PLR0912 - an arm each
    match assertion:
        case Callbacks(expected=(*before, Expected(name=name, data=data))) if data:
            return Callbacks((*before, Expected(name, _contraries(data))))
        case Callbacks(expected=expected):
            return Callbacks((*expected, Expected(CALLBACKS[0], {})))
        case Calls(expected=expected):
            return evolve(assertion, expected=(*expected, {}))
        case Result(ok=None):
            return Result(assertion.operation, ok={})
        case Result(ok=ok) if ok:
            return evolve(assertion, ok=_contraries(ok))
        case Result(operation=operation):
            return Result(operation, ok=None, error="other")
        case Sleeps(delays=(*before, Delay(high=high))) if not math.isinf(high):
            return Sleeps((*before, Delay(high + 2, math.inf)))
        case Sleeps(delays=delays):
            return Sleeps((*delays, Delay(0.0, math.inf)))
        case SleepsDiffer(spread=spread):
            return SleepsDiffer(not spread)
        case Reached(reference=name):
            return Never(name)
        case Never(reference=name):
            return Reached(name)
        case Before(earlier=one, later=other):
            return Before(other, one)
        case RequestShape(shape=shape):
            return evolve(assertion, shape=_other_shape(shape))
        case Requests(count=count):
            return evolve(assertion, count=count + 1)
        case LastEventIds(chain=(*before, last)):
            return LastEventIds((*before, "another" if last is None else None))
        case _:
            raise TypeError(assertion)


def _other_shape(shape: RequestWords) -> RequestWords:  # noqa: PLR0911 - an arm per part
    """Return a shape that no request has which has this one."""
    if shape.method is not None:
        return evolve(shape, method=f"NOT-{shape.method}")
    if shape.path is not None:
        return evolve(shape, path=f"{shape.path}/not")
    if shape.body is not None:
        return evolve(shape, body=f"not {shape.body}")
    if shape.query:
        return evolve(shape, query=_contraries(shape.query))
    if shape.headers:
        return evolve(shape, headers=_contraries(shape.headers))
    if shape.json is not None:
        return evolve(shape, json=contrary(shape.json))
    if shape.absent:
        return RequestWords(headers=dict.fromkeys(shape.absent, "there"))
    nested: Json = "there"
    for key in reversed(shape.json_absent[0].split(".")):
        nested = {key: nested}
    return RequestWords(json=nested)


def _contraries(table: Mapping[str, Json]) -> Mapping[str, Json]:
    return {key: contrary(item) for key, item in table.items()}


def contrary(value: Json) -> Json:  # noqa: PLR0911 - one arm per kind of JSON
    """Return plain data of the same shape for which `difference` reports a difference."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"not {value}"
        case None:
            return "not null"
        case Mapping():
            if not value:
                return "not a table"
            first, *rest = value
            return {first: contrary(value[first]), **{key: value[key] for key in rest}}
        case _:
            return [*value, "one more"]
