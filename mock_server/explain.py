"""A scenario in plain words.

It knows how to say what every word does. It refuses to know how it is done.
"""

from collections.abc import Mapping

from mock_server.codec import needs_of
from mock_server.model import JobPlan, Rule, Scenario
from mock_server.shapes import is_table
from mock_server.vocabulary import Fate, Select
from mock_server.words import plain, words_of

_EVERY: Mapping[str, str] = {"connection": "every connection", "exchange": "every request"}


def explain(scenario: Scenario) -> str:
    """Say what a scenario will do, a sentence per job and per rule."""
    title = f"Scenario {scenario.name!r}" if scenario.name else "This scenario"
    lines = [f"{title} draws every chance from seed {scenario.seed}."]
    lines += [_job(number, job) for number, job in enumerate(scenario.jobs, 1)]
    if not scenario.jobs:
        lines.append("Every job: " + _emits(JobPlan()))
    lines += [_rule(number, rule) for number, rule in enumerate(scenario.rules, 1)]
    if not scenario.rules:
        lines.append("No rules: the backend answers everything by itself.")
    return "\n".join(lines) + "\n"


def _job(number: int, job: JobPlan) -> str:
    name = f" with the id {job.id!r}" if job.id else ""
    made = "exists from the start" if job.submitted else "is made by a create"
    return f"Job {number}{name} {made}: {_emits(job)}"


def _emits(job: JobPlan) -> str:
    count = job.events if isinstance(job.events, int) else len(job.events)
    pace = f"every {job.interval * 1000:g} ms" if job.interval else "as followers are ready"
    if not isinstance(job.events, int):
        return f"emits its {count} events as written, {pace}."
    ends = "never ends by itself" if job.status is Fate.RUNNING else f"ends {job.status.value}"
    return f"emits {count} events {pace} and {ends}."


def _rule(number: int, rule: Rule) -> str:
    name = f" ({rule.name})" if rule.name else ""
    acts = [_word(key, value) for key, value in _said(rule).items() if key not in {"on", "name"}]
    needs = sorted({needed.value for _, needed in needs_of(rule)})
    carriers = f" It needs {', '.join(needs)}." if needs else ""
    return f"Rule {number}{name}, for {_selection(rule)}: {'; '.join(acts)}.{carriers}"


def _said(value: Rule | Select) -> Mapping[str, object]:
    found = plain(value)
    return found if is_table(found) else {}


def _selection(rule: Rule) -> str:
    said = _said(rule.on)
    if not said:
        return _EVERY["connection" if rule.accept or rule.tls else "exchange"]
    words = words_of(Select)
    return " and ".join(f"{words[key][1].says} is {value}" for key, value in said.items())


def _word(key: str, value: object) -> str:
    says = words_of(Rule)[key][1].says
    return says if value is True else f"{says}: {key} = {value}"
