"""Compare a parser's result with the expected result."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from conformance.parser.cuts import cut
from conformance.parser.mistakes import explanations
from conformance.parser.streams import Parsed, ParsedEvent, Stream

CUTS: Final = "ARK-SSE-7"
"""The rule that the result must not depend on how the stream is cut into chunks."""
_AT_ONCE: Final = "ARK-SSE-16"
_CR_AT_ONCE: Final = "ARK-SSE-19"
_OF_THE_CURSOR: Final = ("ARK-RES-", "ARK-SSE-14")
_OF_THE_RETRY: Final = ("ARK-SSE-17", "ARK-SSE-18", "ARK-SSE-20")
_OF_THE_BOUND: Final = ("ARK-SEC-5",)


@frozen
class Difference:
    """A wrong result, with one or more possible explanations: each is a set of broken rules."""

    explanations: tuple[tuple[str, ...], ...]
    problem: str


def lacking(stream: Stream, reports: frozenset[str]) -> str:
    """Return which missing report keeps the stream from being judged; empty if none does."""
    if stream.last_event_id is not None:
        return "" if {"last_event_id", "resume"} <= reports else "resume"
    needed = {_needed(rule) for rule in stream.requires}
    return "" if needed & {"", *reports} else min(needed)


def _needed(rule: str) -> str:
    for prefixes, report in (
        (_OF_THE_CURSOR, "last_event_id"),
        (_OF_THE_RETRY, "retry"),
        (_OF_THE_BOUND, "max_event_size"),
    ):
        if rule.startswith(prefixes):
            return report
    return ""


def difference(
    stream: Stream, places: Sequence[int], actual: Parsed, reports: frozenset[str]
) -> Difference | None:
    """Return what is wrong with the result for a stream cut at `places`; None if it is right."""
    problem = _wrong_result(stream.expected, actual, reports)
    if problem:
        if places:  # in one piece, the result was right
            return Difference(((CUTS,),), problem)
        own = (stream.requires[:1],)
        if stream.max_event_size is not None:
            return Difference(own, problem)
        return Difference(explanations(stream, actual, reports) or own, problem)
    if "chunk" in reports and stream.max_event_size is None:
        return _late(stream, cut(stream.data, places), actual)
    return None


def _wrong_result(expected: Parsed, actual: Parsed, reports: frozenset[str]) -> str:
    if expected.error and not actual.error:
        return f"it reported no error, but should have reported: {expected.error}"
    if actual.error and not expected.error:
        return f"it failed: {actual.error}"
    if problem := _wrong_events(expected.events, actual.events, reports):
        return problem
    if "last_event_id" in reports and actual.last_event_id != expected.last_event_id:
        return f"the cursor is {actual.last_event_id!r}, not {expected.last_event_id!r}"
    if "retry" in reports and actual.retry != expected.retry:
        return f"retry is {actual.retry}, not {expected.retry}"
    return ""


def _wrong_events(
    expected: Sequence[ParsedEvent], actual: Sequence[ParsedEvent], reports: frozenset[str]
) -> str:
    for number, (want, found) in enumerate(zip(expected, actual, strict=False), 1):
        if not _alike(want, found, reports):
            return f"event {number} is {found}"
    if len(actual) > len(expected):
        return f"one event too many: {actual[len(expected)]}"
    if len(actual) < len(expected):
        return f"event {len(actual) + 1} is missing: {expected[len(actual)]}"
    return ""


def _alike(want: ParsedEvent, found: ParsedEvent, reports: frozenset[str]) -> bool:
    same = (want.type, want.data) == (found.type, found.data)
    return same and ("last_event_id" not in reports or want.last_event_id == found.last_event_id)


def _late(stream: Stream, chunks: Sequence[bytes], actual: Parsed) -> Difference | None:
    """Describe the first event that was not dispatched in the chunk in which its block ends."""
    pairs = zip(stream.dispatched(chunks), actual.events, strict=True)
    for number, (due, event) in enumerate(pairs, 1):
        if event.chunk is not None and event.chunk != due:
            after_cr = event.chunk > due and chunks[due].endswith(b"\r")
            return Difference(
                ((_CR_AT_ONCE if after_cr else _AT_ONCE,),),
                f"event {number} was dispatched in chunk {event.chunk}, but its block ends in "
                f"chunk {due}",
            )
    return None
