"""Which rule a client broke if its case did not get as far as its own rule."""

from collections.abc import Sequence
from typing import Final

import pytest

from conformance.expect.mismatch import Divergence
from conformance.trace.events import (
    Called,
    Fact,
    Failure,
    Requested,
    Responded,
    Settled,
    Slept,
    Trace,
)
from conformance.verdict.not_reached.breach import breach_of
from tests.conformance.sample_case import one

STREAMS: Final = "server.stream = [{}]\nstep = [{do = 'wait'}]\nexpect.connects = 1\n"
REFUSES: Final = (
    "server.create = [{status = 401}]\nstep = [{do = 'start'}, {do = 'start'}]\n"
    "expect.connects = 1\n"
)


def request(route: str, method: str = "POST") -> Requested:
    return Requested(route, 1, method, "/v1/jobs", (), "", 1)


CREATED: Final = (request("create"), Responded("create", 1, 201))
OPENED: Final = (request("stream", "GET"), Responded("stream", 1, 200))
ELSEWHERE: Final = request("unknown", "DELETE")


def http(operation: str, code: int) -> Settled:
    return Settled(operation, {}, Failure("http", code, ""))


def blamed(facts: Sequence[Fact], body: str = STREAMS) -> str:
    trace = Trace()
    for fact in facts:
        trace.append(fact, 0.0)
    found = breach_of(one(body), trace, "2026-07", Divergence("something", "nothing"))
    assert found is not None
    return found.rule


@pytest.mark.parametrize(
    ("status", "rule"), [(400, "ARK-WIR-2"), (401, "ARK-WIR-11"), (503, "ARK-CRE-7")]
)
def test_a_create_that_a_sound_backend_refuses_was_a_wrong_request(status: int, rule: str) -> None:
    facts = (
        *(Called("wait"), request("create")),
        *(Responded("create", 1, status), http("wait", status)),
    )
    assert blamed(facts) == rule


def test_a_create_that_the_case_refuses_was_no_wrong_request() -> None:
    first = (Called("start"), request("create"), Responded("create", 1, 401))
    assert blamed((*first, http("wait", 401)), REFUSES) == "ARK-CRE-7"


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ((Called("start"), ELSEWHERE), "ARK-WIR-1"),
        ((Called("wait"), *CREATED, ELSEWHERE), "ARK-WIR-6"),
        ((Called("cancel"), *CREATED, ELSEWHERE), "ARK-WIR-10"),
        ((Called("cancel"), *CREATED, ELSEWHERE, http("cancel", 404)), "ARK-WIR-10"),
        ((Called("start"), Called("cancel"), ELSEWHERE), "ARK-WIR-1"),
    ],
)
def test_a_request_to_a_wrong_address_breaks_the_rule_about_the_one_that_was_due(
    facts: Sequence[Fact], rule: str
) -> None:
    assert blamed(facts) == rule


def test_a_stream_that_is_opened_before_any_wait_is_too_early() -> None:
    refused = (request("stream", "GET"), Responded("stream", 1, 404))
    assert blamed((Called("start"), *refused)) == "ARK-CRE-4"
    assert blamed((Called("start"), Called("wait"), *refused)) == "ARK-ERR-2"


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ((request("create"), Called("abort"), Responded("create", 1, 201)), "ARK-ABT-9"),
        ((*CREATED, Slept(1, 60_000.0, "idle"), Called("abort")), "ARK-ABT-1"),
        ((*CREATED, *OPENED, Slept(1, 1_000.0, "reconnect"), Called("abort")), "ARK-ABT-3"),
        ((*CREATED, *OPENED, Slept(1, 45_000.0, "idle"), Called("abort")), "ARK-ABT-1"),
    ],
)
def test_an_abort_that_is_not_heard_breaks_the_rule_about_what_it_should_have_ended(
    facts: Sequence[Fact], rule: str
) -> None:
    assert blamed((Called("wait"), *facts)) == rule
