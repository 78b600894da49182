"""Judge a played case: list the expectations that its trace does not meet, most important first.

The premise, which is what the client must have done for the case to test anything, is judged first.
If it is not met, the finding says so and cites the rule that the client broke first; the case's own
rules are not judged.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.casefile.model import Case
from conformance.expect.invariants import breaches
from conformance.expect.mismatch import Divergence
from conformance.expect.order import Reached
from conformance.expect.premise import Carries, FirstCallbacks, FirstCursors, FirstSleeps, Premise
from conformance.trace.events import Event, Requested
from conformance.verdict.not_reached.breach import (
    Breach,
    breach_of,
    left_early,
    never_began,
    overran,
    rule_of_a_callback,
    rule_of_a_delay,
    went_on,
)
from conformance.verdict.not_reached.past import Past
from conformance.verdict.result import OF_THE_DRIVER, SETTLES, Finding, Play, secrets_of

_ROUTE_OF: Final = {"start": "create", "cancel": "cancel"}
"""The operations that settle once a request is answered, each with the route of that request."""


def judge(play: Play) -> tuple[Finding, ...]:
    """Return all findings about a play, most important first."""
    if broken := tuple(_of_the_driver(play)):
        return (*broken, *_breaches(play))
    if (first := _silent(play) or _unmet(play)) is not None:
        return (first, *_breaches(play))
    found = tuple(_of_the_case(play))
    return (*found, *_of_conduct(play, found))


def _of_the_driver(play: Play) -> Iterator[Finding]:
    opening = play.trace.first("open.settled")
    if play.broken is not None:
        asked = any(not name.startswith(("open", "close")) for name in play.unanswered)
        expected = "a driver that speaks arkor-drive/1 until the case is closed"
        found = Divergence(expected, play.broken, _last(play))
        yield Finding.of(OF_THE_DRIVER, (SETTLES,) if asked else (), found)
    elif opening is None:
        silent = "the driver went silent before it answered `open`"
        yield Finding.of(OF_THE_DRIVER, (), Divergence("a reply to `open`", silent, _last(play)))


def _unmet(play: Play) -> Finding | None:
    """Return a finding if the client did not get as far as what the case tests."""
    for premise in play.case.premise:
        if (missing := premise.judge(play.trace)) is not None:
            return _not_reached(play, premise.word, missing, _breach(play, premise, missing))
    for where, name in play.stuck:
        missing = Divergence(f"{name}, which {where} waits for", "it never happened")
        breach = breach_of(play.case, play.trace, play.profile, missing, name)
        return _not_reached(play, where, missing, breach)
    return None


def _silent(play: Play) -> Finding | None:
    """Return a finding if an operation never settled although its request was answered."""
    if play.endless or not play.unanswered:  # true for nearly every play
        return None
    past = Past.of(play.trace.events, play.profile)
    for operation in play.unanswered:
        route = _ROUTE_OF.get(operation.partition("#")[0], "")
        attached = route == "create" and "job" in play.case.config
        if route and (attached or past.all_answered(route)):
            missing = Divergence(
                f"{operation} settles",
                f"{operation} did not settle, although its request was answered",
            )
            return _not_reached(
                play, f"conduct.answer {operation}", missing, Breach(SETTLES, missing)
            )
    return None


def _breach(  # noqa: PLR0911 - one arm per kind of premise
    play: Play, premise: Premise, missing: Divergence
) -> Breach | None:
    match premise:
        case Reached(reference=reference):
            return breach_of(play.case, play.trace, play.profile, missing, reference)
        case _ if missing.event is None:
            return breach_of(play.case, play.trace, play.profile, missing)
        case FirstCursors() if isinstance(missing.event.fact, Requested):
            return Breach(_rule_of_a_cursor(premise.chain, missing.event.fact), missing)
        case FirstCallbacks():
            return Breach(rule_of_a_callback(missing.event, play.trace), missing)
        case FirstSleeps():
            return Breach(rule_of_a_delay(missing.event, play.trace, play.profile), missing)
        case Carries(callback="failed"):
            return Breach("ARK-EVT-29", missing)
        case _:
            return breach_of(play.case, play.trace, play.profile, missing)


def _rule_of_a_cursor(chain: Sequence[str | None], request: Requested) -> str:
    """Return the rule that a stream request with the wrong cursor breaks."""
    *before, wanted = chain[: request.attempt]
    if wanted is None:
        return "ARK-RES-1"
    if before and before[-1] == wanted:
        return "ARK-RES-3"
    sent = request.header("last-event-id")
    return "ARK-RES-2" if sent is None or wanted.isascii() else "ARK-RES-10"


def _not_reached(play: Play, word: str, missing: Divergence, breach: Breach | None) -> Finding:
    found = missing if breach is None else breach.divergence
    rules = () if breach is None else (breach.rule,)
    return Finding.of(word, rules, found, _last(play), not_reached=True)


def _last(play: Play) -> Event | None:
    return play.trace.events[-1] if play.trace.events else None


def _of_the_case(play: Play) -> Iterator[Finding]:
    found = list(_broken(play))
    if found and (other := _broken_before(play, found)) is not None:
        yield other
        return
    if not (play.endless or overran(play.case, play.trace)):
        yield from found
        return
    # An unexpected event is evidence. A missing one is not: the client may have been in a loop.
    shown = [finding for finding in found if finding.event is not None]
    yield from shown
    yield _endless(play, shown[0].requires if shown else ())
    if not shown and _is_about_the_end(play.case):
        yield from found


def _broken_before(play: Play, found: Sequence[Finding]) -> Finding | None:
    """Return a finding if the client broke a rule before it reached what the case tests.

    If that rule is one of the case's own, the finding does not count as `not_reached`.
    """
    first = found[0]
    breach = went_on(play.case, play.trace)
    if breach is None:
        settled = left_early(play.case, play.trace)
        if settled is not None or never_began(play.trace):
            missing = Divergence(first.expected, first.actual, settled)
            breach = breach_of(play.case, play.trace, play.profile, missing)
    if breach is None or breach.divergence.event is None:
        return None
    seq = breach.divergence.event.seq
    if any(each.event is not None and each.event.seq < seq for each in found):
        return None
    own = any(breach.rule in each.requires for each in found)
    return Finding.of(
        first.assertion, (breach.rule,), breach.divergence, _last(play), not_reached=not own
    )


def _broken(play: Play) -> Iterator[Finding]:
    for expectation in play.case.expect:
        if found := expectation.assertion.judge(play.trace):
            yield Finding.of(expectation.assertion.word, expectation.requires, found)


def _endless(play: Play, shown: tuple[str, ...]) -> Finding:
    """Return the finding that the client did not stop, with the rules that this breaks.

    `shown` are the rules that the trace has already shown to be broken.
    """
    last = play.trace.events[-1]
    missing = Divergence(
        "a client that stops",
        f"the client went on until the kit stopped it after {len(play.trace.events)} events",
        last,
    )
    return Finding.of("conduct.end", shown or _rules_of_an_end(play, missing), missing)


def _rules_of_an_end(play: Play, missing: Divergence) -> tuple[str, ...]:
    if _is_about_the_end(play.case):
        return play.case.requires
    if overran(play.case, play.trace):
        return ("ARK-BUD-6",)
    breach = breach_of(play.case, play.trace, play.profile, missing)
    return play.case.requires if breach is None else (breach.rule,)


def _is_about_the_end(case: Case) -> bool:
    """Return whether a case judges the result of `wait()` or the number of stream requests."""
    words = {each.assertion.word for each in case.expect}
    return any(word.startswith("result.wait") for word in words) or "requests.stream" in words


def _of_conduct(play: Play, found: Sequence[Finding]) -> Iterator[Finding]:
    shown = next((finding.requires for finding in found if finding.requires), ())
    unmet = any(finding.not_reached for finding in found)
    if not play.endless:
        for operation in play.unanswered:
            silent = f"the client went silent before {operation} settled"
            rules = shown if unmet else _never_settled(play, operation, shown)
            missing = Divergence(f"{operation} settles", silent, _last(play))
            yield Finding.of(f"conduct.answer {operation}", rules, missing)
    yield from _breaches(play)


def _never_settled(play: Play, operation: str, shown: tuple[str, ...]) -> tuple[str, ...]:
    """Return the rules that an operation breaks by never settling.

    If the case has an expectation about the operation's result, these are that expectation's
    rules. Otherwise they are `shown`, the rules of an earlier finding with the same cause.
    """
    if operation == "close":
        return ()
    word = f"result.{operation}"
    own = [each.requires for each in play.case.expect if each.assertion.word == word]
    if own:
        return own[0]
    if shown:
        return shown
    if overran(play.case, play.trace):
        return ("ARK-BUD-6",)
    missing = Divergence(f"{operation} settles", "it never settled")
    breach = breach_of(play.case, play.trace, play.profile, missing)
    return (SETTLES,) if breach is None else (breach.rule,)


def _breaches(play: Play) -> Iterator[Finding]:
    for breach in breaches(play.trace, tuple(secrets_of(play.case)), play.log):
        yield Finding.of(breach.word, (breach.rule,), breach.divergence)
