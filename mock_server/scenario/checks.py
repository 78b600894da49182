"""What words of a scenario make no sense together, and which were said at all."""

import re
from typing import Final

from mock_server.scenario.model import (
    JobPlan,
    Limits,
    Rule,
    Scenario,
)
from mock_server.scenario.vocabulary import (
    Ending,
    Framing,
    ScriptedFrame,
    Select,
)
from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import ScenarioError, is_table
from mock_server.strict.words import plain

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FRAME_WORDS: Final = {
    "drop",
    "duplicate",
    "reorder",
    "corrupt",
    "replace",
    "inject",
    "strip_id",
    "line_ending",
    "slice",
    "stall",
    "delay_ms",
    "jitter_ms",
}
_CONNECTION_WORDS: Final = {"accept", "tls"}
_MODIFIERS: Final = {"on", "name", "after", "jitter_ms", "listener_ms", "reason"}
_HEAD_WORDS: Final = {
    "status",
    "reason",
    "headers",
    "body",
    "body_hex",
    "json",
    "retry_after",
    "content_type",
    "redirect",
    "content_length",
    "raw_head",
    "raw_head_hex",
}


def said(value: Rule | Select | ScriptedFrame | JobPlan) -> set[str]:
    """Return the words that were said, that is those which differ from their defaults."""
    found = plain(value)
    return set(found) if is_table(found) else set()


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
    pauses = [rule.delay + rule.jitter, rule.stall.seconds if rule.stall else 0.0]
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
    words = said(rule)
    mistakes = Mistakes()
    for check in (_check_unit, _check_head, _check_end):
        with mistakes.collected():
            check(rule, words, where)
    mistakes.settle()
    if not words - _MODIFIERS:
        raise ScenarioError(f"{where}: does nothing; give it a fault, such as end = 'rst'")


def _check_unit(rule: Rule, words: set[str], where: str) -> None:
    acts = words - {"on", "name"}
    on_connection = bool(acts & _CONNECTION_WORDS) or rule.on.connection is not None
    if on_connection:
        stray = sorted(acts - _CONNECTION_WORDS) + sorted(
            said(rule.on) - {"connection", "probability", "times"}
        )
        if stray:
            raise ScenarioError(
                f"{where}: {stray[0]!r} cannot go with a rule about connections; "
                "their words are on.connection, accept and tls"
            )
        if not acts:
            raise ScenarioError(f"{where}: a rule about connections needs accept or tls")
    if rule.on.picks_frames:
        stray = sorted(acts - _FRAME_WORDS)
        if stray:
            raise ScenarioError(
                f"{where}: {stray[0]!r} is about a whole exchange, but `on` picks frames; "
                "use two rules"
            )


def _check_head(rule: Rule, words: set[str], where: str) -> None:
    for group in (
        {"body", "body_hex", "json", "frames"},
        {"raw_head", "raw_head_hex"},
        {"extra", "extra_hex"},
        {"lose", "frames"},
    ):
        both = sorted(words & group)
        if len(both) > 1:
            raise ScenarioError(f"{where}: {' and '.join(both)} exclude each other; keep one")
    heads = sorted(words & (_HEAD_WORDS - {"body", "body_hex", "json", "raw_head", "raw_head_hex"}))
    if heads and words & {"raw_head", "raw_head_hex"}:
        raise ScenarioError(
            f"{where}: a raw head is sent as it stands, so {heads[0]} has no place beside it"
        )
    lost = sorted(words & (_HEAD_WORDS | {"early", "framing", "bom"}))
    if rule.lose is not None and lost:
        raise ScenarioError(f"{where}: a lost answer has no head, so {lost[0]} has no place")
    for name in rule.headers or {}:
        if not _TOKEN.fullmatch(name):
            raise ScenarioError(f"{where}: headers: {name!r} is no header name (RFC 9110 token)")
    if rule.redirect is not None and rule.status is not None and rule.status // 100 != 3:  # noqa: PLR2004 - 3xx
        raise ScenarioError(f"{where}: a redirect needs a 3xx status, not {rule.status}")


def _check_end(rule: Rule, words: set[str], where: str) -> None:
    if rule.after is not None and not words & {"end", "stall"}:
        raise ScenarioError(f"{where}: `after` needs an end or a stall that happens there")
    if rule.lose is not None and rule.end not in {None, Ending.FIN, Ending.RST, Ending.HANG}:
        raise ScenarioError(f"{where}: a lost answer ends with fin, rst or hang")
    if rule.framing is Framing.CLOSE and rule.end in {Ending.BAD_CHUNK, Ending.SHORT_CHUNK}:
        raise ScenarioError(f"{where}: {rule.end} needs chunks, framing = 'close' has none")
    if words & {"extra", "extra_hex"} and rule.end not in {None, Ending.EOF, Ending.FIN}:
        raise ScenarioError(f"{where}: extra bytes can follow eof or fin, not {rule.end}")
