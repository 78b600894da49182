"""The attached form of a case: what stays as it was, what is left out, and which case has none."""

import re
from collections.abc import Iterable

import pytest
from attrs import evolve

from conformance.casefile.attached import NeedsCreate, attached
from conformance.casefile.loader import filled
from conformance.casefile.model import Case, Operate, Verb
from conformance.casefile.nonces import Nonces
from tests.conformance.catalogue import all_cases
from tests.conformance.commandline import ROOT
from tests.conformance.sample_case import one

STREAM = 'server.stream = [{ frames = [{ id = "1", json = { type = "training.completed" } }] }]\n'
OF_THE_CREATE = ("create", "start")


def attachable() -> Iterable[tuple[Case, Case]]:
    for case in all_cases():
        try:
            yield case, attached(case)
        except NeedsCreate:
            continue


def why_not(body: str) -> str:
    with pytest.raises(NeedsCreate) as refusal:
        attached(one(body))
    return str(refusal.value)


def words(case: Case) -> list[str]:
    return [each.assertion.word for each in case.expect]


def test_as_many_cases_have_an_attached_form_as_the_guide_says() -> None:
    guide = (ROOT / "spec" / "driver-guide.md").read_text("utf-8")
    (said,) = re.findall(r"([\d,]+) of the ([\d,]+) cases have an\s+attached form", guide)
    found = len(list(attachable())), len(all_cases())
    assert said == tuple(f"{number:,}" for number in found)


def test_the_client_is_opened_with_the_id_of_a_job_that_the_backend_has() -> None:
    case = attached(one(STREAM + 'step = [{do = "wait"}]\nexpect.requests = {stream = 1}'))
    played = filled(case, Nonces("0123456789abcdef"))
    (job,) = played.server.scenario.jobs
    assert job.submitted
    assert job.id == played.config["job"] == "job-0123456789abcdef-1"


def test_a_job_with_a_plan_keeps_it() -> None:
    plan = 'server.scenario.job = [{events = 3, ids = false, id = "of-its-own"}]\n'
    found = attached(one(plan + 'step = [{do = "wait"}]\nexpect.requests = {stream = 1}'))
    (job,) = found.server.scenario.jobs
    assert (job.id, job.events, job.ids, job.submitted) == ("of-its-own", 3, False, True)
    assert found.config["job"] == "of-its-own"


def test_start_and_what_is_expected_of_the_create_are_left_out() -> None:
    body = STREAM + (
        'step = [{do = "start"}, {do = "wait", after = ["start.resolved"]}]\n'
        'premise.reached = ["create#1.requested", "stream#1.requested"]\n'
        'expect.requests = {create = 1, stream = 1}\nexpect.never = ["create#2.requested"]\n'
        'expect.result.start = {ok = true}\nexpect.result.wait = {status = "completed"}\n'
    )
    found = attached(one(body))
    assert found.steps == (Operate(verb=Verb.WAIT, name="wait"),)
    assert [each.word for each in found.premise] == ["reached stream#1.requested"]
    assert words(found) == ["requests.stream", "result.wait"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ('step = [{do = "start"}]\nexpect.requests = {create = 1}', "nothing beyond the create"),
        (
            'server.create = [{status = 503}]\nstep = [{do = "wait"}]\nexpect.requests = {stream = 0}',
            "answers the create in a special way",
        ),
        (
            'step = [{do = "wait"}, {do = "start"}]\nexpect.requests = {stream = 1}',
            "calls start() during or after",
        ),
        (
            'step = [{do = "cancel"}]\nexpect.requests = {cancel = 0}',
            "cancels before the job exists",
        ),
        (
            'step = [{do = "wait", after = ["create#2.requested"]}]\nexpect.requests = {stream = 1}',
            "waits for create#2.requested",
        ),
        (
            'step = [{do = "wait"}]\nexpect.result.wait = {status = "queued"}',
            "the job as the create returned it",
        ),
    ],
)
def test_a_case_that_depends_on_the_create_has_no_attached_form(body: str, why: str) -> None:
    assert why in why_not(body)


def test_an_attached_case_is_its_own_attached_form() -> None:
    for _, found in attachable():
        assert attached(found) == found


def test_nothing_else_of_any_case_changes() -> None:
    for case, found in attachable():
        left_out = [word for word in words(case) if word not in words(found)]
        assert all(any(each in word for each in OF_THE_CREATE) for word in left_out), case.id
        kept = {"config", "server", "steps", "premise", "expect"}
        same = {name: getattr(case, name) for name in kept}
        assert evolve(found, **same) == case
        assert found.server.answers == case.server.answers
        assert found.server.scenario.rules == case.server.scenario.rules
        steps = [each for each in case.steps if getattr(each, "verb", None) is not Verb.START]
        assert len(found.steps) == len(steps)


def test_a_case_about_a_job_that_exists_is_played_as_it_is() -> None:
    own = {case.id: (case, found) for case, found in attachable() if "job" in case.config}
    case, found = own["resume.a-saved-cursor-is-sent-on-the-first-open"]
    assert found == case
