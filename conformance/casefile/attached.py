"""The attached form of a case, for clients that follow jobs but do not create them.

In this form, the backend has the job from the start, and the client is opened with the job's id.
The expectations about the stream, the cursor, the delays, the budget, the callbacks and the results
are kept; those about the create are dropped. A case has no attached form if it judges only the
create or depends on it, as when the backend treats the create in a special way.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import evolve

from conformance.casefile.model import Await, Case, Operate, Step, Until, Verb
from conformance.casefile.server import Server
from conformance.casefile.steps import references
from conformance.expect.callbacks import Equal, Result
from conformance.expect.mismatch import Assertion
from conformance.expect.order import Before, Never, QuietAfter, Reached
from conformance.expect.premise import Premise
from conformance.expect.request_shape import EqualHeader, RequestShape
from conformance.expect.requests import Requests
from mock_server.scenario.model import BackendPlan, JobPlan
from mock_server.scenario.vocabulary import Route

_OF_THE_CREATE: Final = "ARK-CRE-"
_JUST_CREATED: Final = frozenset({"ARK-ERR-5"})
"""Rules about the time right after a create."""
_BEFOREHAND: Final = frozenset(
    {"create#1.requested", "create#1.responded", "create#1.ended", "start.called"}
    | {"start.settled", "start.resolved"}
)
"""Events that an attached case treats as past when the client is opened."""


class NeedsCreate(Exception):
    """Raised for a case that has no attached form; the message gives the reason."""


def attached(case: Case) -> Case:
    """Return the attached form of a case; raise NeedsCreate if it has none.

    A case about an existing job is its own attached form.
    """
    if why := _obstacle(case):
        raise NeedsCreate(why)
    if "job" in case.config:
        return case
    expect = tuple(each for each in case.expect if not _is_about_the_create(each.assertion))
    if not expect:
        raise NeedsCreate("it expects nothing beyond the create")
    server, job = _with_the_job(case.server)
    return evolve(
        case,
        steps=tuple(_steps(case.steps)),
        config={**case.config, "job": job},
        server=server,
        premise=tuple(each for each in case.premise if not _is_about_the_create(each)),
        expect=expect,
    )


def is_attachable(case: Case) -> bool:
    """Return whether a case has an attached form."""
    try:
        attached(case)
    except NeedsCreate:
        return False
    return True


def _obstacle(case: Case) -> str:
    """Return why a case needs a client that creates jobs; empty if any client will do."""
    obstacles = _of_any_case if "job" in case.config else _of_a_case_that_creates
    return next(obstacles(case), "")


def _of_any_case(case: Case) -> Iterator[str]:
    if any(map(_starts, case.steps)):
        yield "it calls start()"


def _of_a_case_that_creates(case: Case) -> Iterator[str]:
    rules = set(case.requires)
    if all(rule.startswith(_OF_THE_CREATE) for rule in rules):
        yield "it judges only the create"
    if rules & _JUST_CREATED:
        yield "it judges what happens right after the create"
    if any(rule.on.route in {None, Route.CREATE} for rule in case.server.scenario.rules):
        yield "its backend answers the create in a special way"
    if any(shape.request.startswith("create#") for shape in case.applies):
        yield "one of its conditions depends on the create"
    if any(_is_of_the_created_job(each.assertion) for each in case.expect):
        yield "it expects an operation to return the job as the create returned it"
    first, *later = [step for step in case.steps if isinstance(step, Operate)]
    if any(map(_starts, later)) or (first.detached and _starts(first)):
        yield "it calls start() during or after another operation"
    if first.verb is Verb.CANCEL:
        yield "it cancels before the job exists"
    named = [name for step in case.steps for _, name in references(step)]
    named += [each.reference for each in case.premise if isinstance(each, Reached)]
    late = [each for each in named if _is_of_the_create(each) and each not in _BEFOREHAND]
    if late:
        yield f"it waits for {late[0]}"


def _starts(step: Step) -> bool:
    return isinstance(step, Operate) and step.verb is Verb.START


def _steps(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the steps, leaving out `start()` and all waits for the events in `_BEFOREHAND`."""
    for step in steps:
        if _starts(step):
            continue
        changed = step
        if isinstance(step, Until):
            changed = evolve(step, events=_remaining(step.events))
        elif not isinstance(step, Await):
            changed = evolve(step, after=_remaining(step.after))
        yield changed


def _remaining(events: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in events if name not in _BEFOREHAND)


def _with_the_job(server: Server) -> tuple[Server, str]:
    """Return a server that already has the job that the create would make, and that job's id."""
    scenario = server.scenario
    plan, *others = scenario.jobs or (JobPlan(),)
    prefix = scenario.backend.job_prefix
    numbered = "{job}" if prefix == BackendPlan().job_prefix else f"{prefix}1"
    job = plan.id or numbered
    there = evolve(plan, id=job, submitted=True)
    return evolve(server, scenario=evolve(scenario, jobs=(there, *others))), job


def _is_of_the_create(reference: str) -> bool:
    return reference.startswith(("create#", "start.", "start#"))


def _is_of_the_created_job(expected: Assertion) -> bool:
    """Return whether the case expects an operation to return the job as the create returned it."""
    job = expected.ok.get("job") if isinstance(expected, Result) and expected.ok else None
    return isinstance(job, Mapping) and job.get("status") == "queued"


def _is_about_the_create(expected: Assertion | Premise) -> bool:
    match expected:
        case Requests(route="create"):
            return True
        case RequestShape(request=name) | Result(operation=name):
            return name.partition("#")[0] in {"create", "start"}
        case Reached(reference=name) | Never(reference=name) | QuietAfter(reference=name):
            return _is_of_the_create(name)
        case Before(earlier=one, later=other):
            return _is_of_the_create(one) or _is_of_the_create(other)
        case Equal(operations=names) | EqualHeader(requests=names):
            return any(name.partition("#")[0] in {"create", "start"} for name in names)
        case _:
            return False
