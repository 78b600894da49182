"""Which words of a scenario make no sense together.

What a word goes with is said where it is declared; here are the checks of it, and those that look
at values.
"""

from collections.abc import Callable
from typing import Final

from mock_server.scenario.model import JobPlan, Limits, Scenario
from mock_server.scenario.rule import FAULTS, Rule, names_in
from mock_server.scenario.words.connection import ConnectionFault
from mock_server.scenario.words.declaring import Fault, faults_of
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.head import Framing, HeadFault
from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import ScenarioError
from mock_server.strict.words import given

_NO_FAULTS: Final = {"on", "name"}
_CONNECTION_WORDS: Final = set(faults_of(ConnectionFault))
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
    """Refuse what makes no sense together; raises ScenarioError with every such mistake."""
    mistakes = Mistakes()
    for number, rule in enumerate(scenario.rules, 1):
        with mistakes.collected():
            check_rule(rule, f"rule {number}")
        with mistakes.collected():
            _check_pauses(rule, scenario.limits, f"rule {number}")
    ids: set[str] = set()
    for number, job in enumerate(scenario.jobs, 1):
        with mistakes.collected():
            _check_job(job, ids, f"job {number}")
    mistakes.settle()


def _check_pauses(rule: Rule, limits: Limits, where: str) -> None:
    pauses = [rule.head.delay + rule.head.jitter, rule.end.stall.seconds if rule.end.stall else 0.0]
    if max(pauses) > limits.stall_time:
        raise ScenarioError(
            f"{where}: pauses for {max(pauses):g} s; limits.stall_ms allows {limits.stall_time:g} s"
        )


def _check_job(job: JobPlan, ids: set[str], where: str) -> None:
    if job.id is not None:
        if job.id in ids:
            raise ScenarioError(f"{where}: the id {job.id!r} is given twice; ids are unique")
        ids.add(job.id)
    if job.submitted and job.id is None:
        raise ScenarioError(f"{where}: a submitted job needs an id to be found by")
    if job.emitted and job.interval:
        raise ScenarioError(
            f"{where}: interval_ms paces events to come, but these are emitted; keep one"
        )


def check_rule(rule: Rule, where: str) -> None:
    """Refuse combinations that make no sense; raises ScenarioError that begins with `where`."""
    words = names_in(rule)
    mistakes = Mistakes()
    with mistakes.collected():
        _check_unit(rule, words, where)
    with mistakes.collected():
        _check_company(words, where)
    with mistakes.collected():
        _check_head(rule.head, where)
    with mistakes.collected():
        _check_end(rule, words, where)
    mistakes.settle()
    if not words & _ACTING_WORDS:
        raise ScenarioError(f"{where}: does nothing; give it a fault, such as end = 'rst'")


def _check_unit(rule: Rule, words: set[str], where: str) -> None:
    acts = words - _NO_FAULTS
    on_connection = bool(acts & _CONNECTION_WORDS) or rule.on.connection is not None
    if on_connection:
        stray = sorted(acts - _CONNECTION_WORDS) + sorted(
            {name for name, _, _ in given(rule.on)} - _ABOUT_CONNECTIONS
        )
        if stray:
            raise ScenarioError(
                f"{where}: {stray[0]!r} cannot go with a rule about connections; "
                f"their words are on.connection, {_listed(' and ')}"
            )
        if not acts:
            raise ScenarioError(f"{where}: a rule about connections needs {_listed(' or ')}")
    if rule.on.picks_frames:
        stray = sorted(acts - _FRAME_WORDS)
        if stray:
            raise ScenarioError(
                f"{where}: {stray[0]!r} is about a whole exchange, but `on` picks frames; "
                "use two rules"
            )


def _listed(last: str) -> str:
    *others, final = sorted(_CONNECTION_WORDS)
    return f"{', '.join(others)}{last}{final}"


def _check_company(words: set[str], where: str) -> None:
    """Refuse words that have no place beside each other, as their declarations say."""
    for choice in _CHOICES.values():
        both = sorted(words & choice)
        if len(both) > 1:
            raise ScenarioError(f"{where}: {' and '.join(both)} exclude each other; keep one")
    for name in sorted(words & FAULTS.keys()):
        for other in FAULTS[name].not_with:
            if other in words:
                why = FAULTS[other].leaves_no_place.format(name)
                raise ScenarioError(f"{where}: {why}")


def _check_head(head: HeadFault, where: str) -> None:
    if head.redirect is not None and head.status is not None and head.status // 100 != 3:  # noqa: PLR2004 - 3xx
        raise ScenarioError(f"{where}: a redirect needs a 3xx status, not {head.status}")


def _check_end(rule: Rule, words: set[str], where: str) -> None:
    if rule.end.after is not None and not words & _POINT_WORDS:
        raise ScenarioError(f"{where}: `after` needs an end or a stall that happens there")
    end, framing = rule.end.end, rule.head.framing
    if rule.request.lose is not None and end not in {None, Ending.FIN, Ending.RST, Ending.HANG}:
        raise ScenarioError(f"{where}: a lost answer ends with fin, rst or hang")
    if framing is Framing.CLOSE and end in {Ending.BAD_CHUNK, Ending.SHORT_CHUNK}:
        raise ScenarioError(f"{where}: {end} needs chunks, framing = 'close' has none")
    if words & {"extra", "extra_hex"} and end not in {None, Ending.EOF, Ending.FIN}:
        raise ScenarioError(f"{where}: extra bytes can follow eof or fin, not {end}")
