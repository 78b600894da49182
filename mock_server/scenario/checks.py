"""Refuse the words of a scenario that make no sense together.

A word's declaration says which words it cannot be combined with. This module checks that no rule
combines them, and also checks the combinations that depend on values.
"""

from collections.abc import Callable
from typing import Final

from mock_server.scenario.behaviour import Tenancy
from mock_server.scenario.model import BackendPlan, JobPlan, Limits, Scenario
from mock_server.scenario.rule import FAULTS, WORDS, Rule
from mock_server.scenario.words.declaring import Fault
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.head import Framing
from mock_server.strict.mistakes import Mistakes, together
from mock_server.strict.shapes import ScenarioError
from mock_server.strict.words import given

_NO_FAULTS: Final = {"on", "name"}
_CONNECTION_WORDS: Final = {name for name in FAULTS if WORDS[name].group == "connection"}
_ABOUT_CONNECTIONS: Final = {"connection", "probability", "times"}
_CHOICES: Final = {
    choice: {name for name, fault in FAULTS.items() if choice in fault.one_of}
    for each in FAULTS.values()
    for choice in each.one_of
}


def _wanted(wanted: Callable[[Fault[object]], bool]) -> set[str]:
    return {name for name, fault in FAULTS.items() if wanted(fault)}


_FRAME_WORDS: Final = _wanted(lambda fault: fault.per_frame)
_POINT_WORDS: Final = _wanted(lambda fault: fault.at_point)
_ACTING_WORDS: Final = _wanted(lambda fault: fault.alone)


def check_scenario(scenario: Scenario) -> None:
    """Refuse combinations that make no sense; raise a ScenarioError that lists all of them."""
    mistakes = Mistakes()
    for number, rule in enumerate(scenario.rules, 1):
        for problem in (*_rule_problems(rule), *_pause_problems(rule, scenario.limits)):
            mistakes.add(ScenarioError(f"rule {number}: {problem}"))
    for problem in _backend_problems(scenario.backend):
        mistakes.add(ScenarioError(f"backend{problem}"))
    ids: set[str | None] = set()
    for number, job in enumerate(scenario.jobs, 1):
        if (wrong := _job_problem(job, ids)) is not None:
            mistakes.add(ScenarioError(f"job {number}: {wrong}"))
        ids.add(job.id)
    mistakes.settle()


def check_rule(rule: Rule, where: str) -> None:
    """Refuse combinations that make no sense; raise a ScenarioError that begins with `where`."""
    if problems := _rule_problems(rule):
        raise together([ScenarioError(f"{where}: {problem}") for problem in problems])


def _pause_problems(rule: Rule, limits: Limits) -> list[str]:
    longest = max(
        rule.head.delay + rule.head.jitter, rule.end.stall.seconds if rule.end.stall else 0
    )
    if longest <= limits.stall_time:
        return []
    return [f"pauses for {longest:g} s; limits.stall_ms allows at most {limits.stall_time:g} s"]


def _backend_problems(plan: BackendPlan) -> list[str]:
    tokens = [tenant.token for tenant in plan.tenants]
    problems = {
        ": token and tenants cannot be combined; keep one": plan.token is not None and tokens,
        ".tenancy: does nothing without tenants; add tenants": not tokens
        and plan.tenancy is not Tenancy.CHECKED,
        ".tenants: a tenant has an empty token": "" in tokens,
        ".tenants: two tenants have the same token": len(set(tokens)) < len(tokens),
        ".tenants: a tenant has an empty org or project": any(
            not slug for tenant in plan.tenants for slug in (tenant.org, *tenant.projects)
        ),
    }
    return [problem for problem, found in problems.items() if found]


def _job_problem(job: JobPlan, ids: set[str | None]) -> str | None:
    if job.id is not None and job.id in ids:
        return f"the id {job.id!r} is given twice; ids must be unique"
    if job.submitted and job.id is None:
        return "a submitted job needs an id, so that clients can follow it"
    if job.emitted and job.interval:
        return "interval_ms has no effect with `emitted`; remove one of the two"
    return None


def _rule_problems(rule: Rule) -> list[str]:
    words = {word.name for word, _ in given(rule)}
    found = [find(rule, words) for find in (_unit, _company, _head, _end)]
    problems = [problem for problem in found if problem is not None]
    if not problems and not words & _ACTING_WORDS:
        return ["does nothing; give it a fault, such as end = 'rst'"]
    return problems


def _unit(rule: Rule, words: set[str]) -> str | None:
    """Find a word that does not fit a rule about connections or a rule that picks frames."""
    acts = words - _NO_FAULTS
    if acts & _CONNECTION_WORDS or rule.on.connection is not None:
        stray = sorted(acts - _CONNECTION_WORDS) + sorted(
            {word.name for word, _ in given(rule.on)} - _ABOUT_CONNECTIONS
        )
        if stray:
            return (
                f"{stray[0]!r} cannot be used in a rule about connections; such a rule can use "
                f"only name, on.connection, on.probability, on.times, {_listed(' and ')}"
            )
        if not acts:
            return f"a rule about connections needs {_listed(' or ')}"
    if rule.on.picks_frames and (stray := sorted(acts - _FRAME_WORDS)):
        return f"{stray[0]!r} applies to a whole exchange, but `on` picks frames; use two rules"
    return None


def _listed(last: str) -> str:
    *others, final = sorted(_CONNECTION_WORDS)
    return f"{', '.join(others)}{last}{final}"


def _company(_: Rule, words: set[str]) -> str | None:
    """Find words that, according to their declarations, cannot be combined."""
    for choice in _CHOICES.values():
        both = sorted(words & choice)
        if len(both) > 1:
            return f"{' and '.join(both)} cannot be combined; keep one"
    for name in sorted(words & FAULTS.keys()):
        for other in FAULTS[name].not_with:
            if other in words:
                return FAULTS[other].leaves_no_place.format(name)
    return None


def _head(rule: Rule, _: set[str]) -> str | None:
    head = rule.head
    if head.redirect is not None and head.status is not None and head.status // 100 != 3:  # noqa: PLR2004 - 3xx
        return f"a redirect needs a 3xx status, not {head.status}"
    return None


def _end(rule: Rule, words: set[str]) -> str | None:
    end = rule.end.end
    if rule.end.after is not None and not words & _POINT_WORDS:
        return "`after` needs an `end` or a `stall`"
    if rule.request.lose is not None and end not in {None, Ending.FIN, Ending.RST, Ending.HANG}:
        return "with `lose`, the exchange must end with fin, rst or hang"
    if rule.head.framing is Framing.CLOSE and end in {Ending.BAD_CHUNK, Ending.SHORT_CHUNK}:
        return f"{end} needs chunks, but framing = 'close' sends none"
    if words & {"extra", "extra_hex"} and end not in {None, Ending.EOF, Ending.FIN}:
        return f"extra bytes can follow eof or fin, but not {end}"
    return None
