"""Explain a scenario in plain words: the backend, its limits, its jobs, and what each rule does.

The phrase that describes a fault is part of the fault's declaration.
"""

from collections.abc import Sequence

from mock_server.scenario.behaviour import Tenant
from mock_server.scenario.model import BackendPlan, JobPlan, Limits, Scenario
from mock_server.scenario.rule import Rule, faults_in, needs_of
from mock_server.scenario.serving import ServingPlan
from mock_server.scenario.vocabulary import Fate, Select
from mock_server.scenario.words.declaring import Phrased, Told, time_of
from mock_server.scenario.words.end import point_of
from mock_server.strict.shapes import count_of
from mock_server.strict.values import Span
from mock_server.strict.words import given, plain_table, words_of


def explain(scenario: Scenario) -> str:
    """Explain what a scenario will do, with one sentence per job and per rule."""
    title = f"Scenario {scenario.name!r}" if scenario.name else "This scenario"
    lines = [f"{title} makes its random choices from seed {scenario.seed}."]
    lines += [f"The backend {each}." for each in _demands(scenario.backend)]
    lines += [f"Limit: {each}." for each in _bounds(scenario.limits)]
    lines += [_job(number, job) for number, job in enumerate(scenario.jobs, 1)]
    if not scenario.jobs:
        lines.append("Every job: " + _emits(JobPlan()))
    lines += [_rule(number, rule) for number, rule in enumerate(scenario.rules, 1)]
    if not scenario.rules:
        lines.append("No rules: the backend responds normally to every request.")
    return "\n".join(lines) + "\n"


def what_it_does(rule: Rule) -> str:
    """Describe what a rule does when it fires; add the rule's name if it has one."""
    acts = "; ".join(_acts(rule))
    return f"{acts} ({rule.name})" if rule.name else acts


def whom_it_is_about(rule: Rule) -> str:
    """Describe which connections, requests or frames a rule applies to."""
    return f"{_unit(rule)}{_chance(rule.on)}"


def _demands(plan: BackendPlan) -> list[str]:
    words = plain_table(plan)
    found = ["requires no token"] if not plan.authenticate else []
    found += ["accepts only one token"] if plan.authenticate and plan.token is not None else []
    found += [f"names its jobs {_names(plan)}"] if "job_prefix" in words else []
    found += [_knows(plan.tenants)] if plan.tenants else []
    found += [value.phrase for _, value in given(plan) if isinstance(value, Phrased)]
    found += [f"replies {plan.reply!r} to inference"] if "reply" in words else []
    return found + _serves(plan.serving)


def _serves(plan: ServingPlan) -> list[str]:
    found = (
        ["sends a comment right after the response head of a job's stream"]
        if plan.first_comment
        else []
    )
    if plan.keep_alive:
        found.append(
            f"sends a comment whenever a job's stream has been idle for {time_of(plan.keep_alive)}"
        )
    if plan.leak:
        found.append("counts a connection as open forever if the client drops it during a stream")
    return found


def _knows(tenants: Sequence[Tenant]) -> str:
    told = ", ".join(f"{each.org} ({', '.join(each.projects)})" for each in tenants)
    return f"accepts the tokens of {count_of(len(tenants), 'tenant')}: {told}"


def _names(plan: BackendPlan) -> str:
    return f"{plan.job_prefix + '1'!r}, {plan.job_prefix + '2'!r} and so on"


def _bounds(limits: Limits) -> list[str]:
    words = words_of(Limits)
    return [f"{words[key].says}: {value} ({key})" for key, value in plain_table(limits).items()]


def _job(number: int, job: JobPlan) -> str:
    name = f" with the id {job.id!r}" if job.id else ""
    made = "exists from the start" if job.submitted else "is created by a request"
    return f"Job {number}{name} {made}: {_emits(job)}"


def _emits(job: JobPlan) -> str:
    count = job.events if isinstance(job.events, int) else len(job.events)
    pace = (
        f"at intervals of {time_of(job.interval)}"
        if job.interval
        else "as soon as followers are ready"
    )
    if job.emitted:
        pace = "before any client follows the job"
    if not isinstance(job.events, int):
        return f"emits its {count_of(count, 'event')} as written, {pace}."
    ends = (
        "never ends on its own"
        if job.status is Fate.RUNNING
        else f"ends with the status {job.status.value}"
    )
    return f"emits {count_of(count, 'event')} {pace} and {ends}."


def _rule(number: int, rule: Rule) -> str:
    name = f" ({rule.name})" if rule.name else ""
    needs = sorted({needed.value for _, needed in needs_of(rule)})
    word = "capability" if len(needs) == 1 else "capabilities"
    carriers = f" It needs the {word} {', '.join(needs)}." if needs else ""
    acts = "; ".join(_acts(rule))
    return f"Rule {number}{name}, for {whom_it_is_about(rule)}: {acts}.{carriers}"


def _acts(rule: Rule) -> list[str]:
    """Describe what a rule does, with one phrase for each of its faults."""
    words = plain_table(rule)
    told = Told(rule.on.picks_frames, point_of(rule.end.after), words)
    found = [
        phrase(value, told)
        for fault, value in faults_in(rule)
        if (phrase := fault.phrase) is not None
    ]
    return [phrase for phrase in found if phrase]


def _unit(rule: Rule) -> str:
    on = rule.on
    if rule.is_about_connections:
        return _counted("connection", on.connection) or "every connection"
    route = f" of {on.route.value}" if on.route is not None else ""
    request = _counted("request", on.attempt, route) or f"every request{route}"
    request += f" about the job {on.job!r}" if on.job is not None else ""
    request += f" with the method {on.method}" if on.method is not None else ""
    request += "".join(_header(name, value) for name, value in (on.header or {}).items())
    return f"{_frames(on)} in {request}" if on.picks_frames else request


def _counted(noun: str, span: Span | None, of: str = "") -> str:
    if span is None:
        return ""
    if span.last is None:
        return f"{noun} {span.first}{of} and every later one"
    if span.last == span.first:
        return f"{noun} {span.first}{of}"
    return f"{noun}s {span.first} to {span.last}{of}"


def _header(name: str, value: str) -> str:
    if value == "!":
        return f" without the header {name}"
    return f" with the header {name}" + ("" if value == "*" else f" {value!r}")


def _frames(on: Select) -> str:
    found = _counted("frame", on.frame) or "every frame"
    found += f" with the id {on.id!r}" if on.id is not None else ""
    found += f" with the event {on.event!r}" if on.event is not None else ""
    found += f" of the type {on.type!r}" if on.type is not None else ""
    return found + (" that ends the job" if on.last else "")


def _chance(on: Select) -> str:
    chance = f", with a chance of {on.probability * 100:g}%" if on.probability < 1 else ""
    return chance + (f", {count_of(on.times, 'time')} at most" if on.times is not None else "")
