"""Group a client's inapplicable cases by what was missing.

There is a group for each capability that the driver does not declare, for each operation that it
answers with `unsupported`, and for each other reason.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from conformance.plain import shortened
from conformance.reports.run_json.telling import LONGEST_LINE
from conformance.runner.run import Outcome
from conformance.strict_data import Json
from conformance.trace.events import Failure, Settled
from conformance.verdict.claim import opening_refused, unsupported
from conformance.verdict.result import CaseResult
from conformance.verdict.standing import Tally, unjudged_musts
from conformance.verdict.statuses import Verdict
from conformance.verdict.time_modes import TimeMode
from conformance.words import PROBED, VIRTUAL_CLOCK


def groups(outcome: Outcome, tallies: Mapping[str, Tally]) -> Iterator[Json]:
    """Yield the groups, largest first, for the profiles that the driver declares.

    A case for which two capabilities are missing is in both groups. A group counts each case
    once, even if the case did not apply under several profiles.
    """
    found: dict[str, list[CaseResult]] = {}
    for result in outcome.results:
        if result.verdict is Verdict.NOT_APPLICABLE and result.profile in outcome.identity.profiles:
            for name in _names(result, outcome):
                found.setdefault(name, []).append(result)
    for name, results in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        yield {
            "name": name,
            "why": shortened(_why(name, results), LONGEST_LINE),
            "cases": len({result.case.id for result in results}),
            "musts": list(unjudged_musts(results, tallies)),
        }


def _names(result: CaseResult, outcome: Outcome) -> Sequence[str]:
    if result.lacking:
        return result.lacking
    if refused := (*opening_refused(result), *unsupported(result)):
        return refused[:1]
    if result.trace.events:
        return ("other clients",)
    probed = [need for need in result.case.needs if need in PROBED]
    if probed and outcome.stack is not None and result.reason == outcome.stack.lacking(probed):
        return ("HTTP stack",)
    return ("other",) if outcome.timing.mode is TimeMode.VIRTUAL else (VIRTUAL_CLOCK,)


def _why(name: str, results: Sequence[CaseResult]) -> str:
    if any(name in result.lacking for result in results) or name == VIRTUAL_CLOCK:
        return f"the driver does not declare {name}"
    if name == "open":
        return f"the driver could not open the case: {_message(results)}"
    if any(name in unsupported(result) for result in results):
        return f"the driver does not support {name}"
    ((reason, _),) = Counter(result.reason for result in results).most_common(1)
    return reason


def _message(results: Sequence[CaseResult]) -> str:
    """Return the driver's most frequent reason for failing to open a case."""
    said = Counter(_refusal(result) for result in results)
    ((message, _),) = said.most_common(1)
    return message


def _refusal(result: CaseResult) -> str:
    event = result.trace.first("open.rejected")
    match None if event is None else event.fact:
        case Settled(failure=Failure(message=message)):
            return message
        case _:
            return ""
